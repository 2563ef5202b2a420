import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROUTES, type Client, type OsRelease as PublishedRelease } from '@sevenfold/api';
import { buildOsRelease, type OsRelease, type ReleaseSigner } from '@sevenfold/device';
import { CHIP_SKUS, IMAGE_TYPES, SYSTEM_IMAGE_TYPES, imageUse } from '@sevenfold/formats';
import { ensureKey, openFileKeyStore, type KeyStore } from '@sevenfold/pki';
import { allItems } from '../context.ts';
import { readPlatformKeys } from './platform-keys.ts';

/** Version of the OS sources of this repository; releases count on in its last number. */
const OS_VERSION = '26.11.0';

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));

/** A key of a store as a signer. */
export async function signerOf(keys: KeyStore, name: string): Promise<ReleaseSigner> {
  return { spki: await ensureKey(keys, name), sign: (message) => keys.sign(name, message) };
}

/**
 * Builds the OS from this repository's sources as `kernelVersion`, signed by the keys of the platform's folder, and
 * tells the service to take images of these keys. What was signed before is not signed again.
 */
export async function buildRelease(
  folder: string,
  client: Client,
  kernelVersion: string,
): Promise<OsRelease> {
  const images = join(folder, 'images');
  mkdirSync(images, { recursive: true, mode: 0o700 });
  const keys = await openFileKeyStore(join(folder, 'keys'));
  const platformKeys = readPlatformKeys(folder);
  const root = await signerOf(keys, 'root');
  const platform = await signerOf(keys, platformKeys.signing);
  const trusted = await Promise.all(platformKeys.trusted.map((name) => ensureKey(keys, name)));
  const trust = await client.call(ROUTES.trust);
  const pathOf = (imageId: string): string => join(images, `${imageId}.imagepackage`);
  const uses = SYSTEM_IMAGE_TYPES.filter((type) => type !== 'TrustedKeystore').map((type) =>
    imageUse(IMAGE_TYPES[type]),
  );

  const release = await buildOsRelease({
    version: OS_VERSION,
    kernelVersion,
    platform,
    root,
    keystore: {
      version: platformKeys.version,
      keys: [
        ...trusted.map((spki) => ({ spki, uses })),
        { spki: bytesOf(trust.imageSigningKey), uses: [imageUse(IMAGE_TYPES.Applications)] },
        { spki: bytesOf(trust.planSigningKey), uses: ['plan'] },
        { spki: bytesOf(trust.capabilitySigningKey), uses: ['capability'] },
      ],
      successions: platformKeys.successions,
    },
    certStore: {
      endpoints: [{ host: trust.deviceHost, port: trust.devicePort, serverName: trust.deviceServerName }],
      tlsRoots: trust.tlsRoots.map(bytesOf),
    },
    existing: (imageId) =>
      Promise.resolve(existsSync(pathOf(imageId)) ? new Uint8Array(readFileSync(pathOf(imageId))) : null),
  });
  for (const image of release.images) {
    const draft = `${pathOf(image.imageId)}.draft`;
    writeFileSync(draft, image.package, { mode: 0o600, flush: true });
    renameSync(draft, pathOf(image.imageId));
  }
  // The root signs keystores, the platform key everything else.
  for (const { spki } of [root, platform]) {
    await client.call(ROUTES.createPlatformKey, { body: { spki: Buffer.from(spki).toString('base64') } });
  }
  return release;
}

/** Uploads a release image by image and publishes it. */
export async function publishRelease(
  client: Client,
  release: OsRelease,
  feed: 'Retail' | 'RetailEval',
  onImage: (index: number, digest: string) => void = () => {},
): Promise<PublishedRelease> {
  for (const [index, image] of release.images.entries()) {
    const { digest } = await client.call(ROUTES.uploadOsImage, { body: image.package });
    onImage(index, digest);
  }
  const body = {
    name: release.name,
    feed,
    chipSku: CHIP_SKUS[release.chipSku],
    imageIds: release.images.map((image) => image.imageId),
  } as const;
  return client.call(ROUTES.createOsRelease, { body });
}

/** All releases that were ever published, newest first. */
export function publishedReleases(client: Client): Promise<readonly PublishedRelease[]> {
  return allItems<PublishedRelease>((query) => client.call(ROUTES.osReleases, { query }));
}

/** The next release's name: one more in the last number than any so far. */
export async function nextVersion(client: Client): Promise<string> {
  const numbers = (await publishedReleases(client)).map((release) => Number(release.name.split('.').at(-1)));
  const last = Math.max(-1, ...numbers.filter((number) => Number.isSafeInteger(number)));
  return `${OS_VERSION.split('.').slice(0, -1).join('.')}.${last + 1}`;
}
