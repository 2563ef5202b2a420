import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROUTES, type Client, type OsRelease as PublishedRelease } from '@sevenfold/api';
import { buildOsRelease, type OsRelease, type ReleaseSigner } from '@sevenfold/device';
import { CHIP_SKUS, imageUse, IMAGE_TYPES, toHex } from '@sevenfold/formats';
import { ensureKey, openFileKeyStore, type KeyStore } from '@sevenfold/pki';
import { allItems } from '../../context.ts';
import type { Progress } from '../../narrator.ts';
import { prove, type StepResult, type Telling } from '../environment.ts';
import type { Journal } from '../journal.ts';

/** Version of the OS sources of this repository; releases count on in its last number. */
const OS_VERSION = '26.11.0';
const FEED = 'Retail';

export interface ReleaseStep extends StepResult {
  readonly release: OsRelease;
}

/** A key of a store as a signer. */
export async function signerOf(keys: KeyStore, name: string): Promise<ReleaseSigner> {
  return { spki: await ensureKey(keys, name), sign: (message) => keys.sign(name, message) };
}

/** Builds the OS from this repository's sources as `kernelVersion`; what was signed before is not signed again. */
async function build(telling: Telling, client: Client, kernelVersion: string): Promise<OsRelease> {
  const folder = join(telling.dataDir, 'platform');
  const images = join(folder, 'images');
  mkdirSync(images, { recursive: true, mode: 0o700 });
  const keys = await openFileKeyStore(join(folder, 'keys'));
  const root = await signerOf(keys, 'root');
  const platform = await signerOf(keys, 'signing');
  const trust = await client.call(ROUTES.trust);
  const pathOf = (imageId: string): string => join(images, `${imageId}.imagepackage`);

  const release = await buildOsRelease({
    version: OS_VERSION,
    kernelVersion,
    platform,
    root,
    keystore: {
      version: 1,
      keys: [
        {
          spki: platform.spki,
          uses: (
            ['PlutonRuntime', 'SecurityMonitor', 'UpdateCertStore', 'NormalWorldKernel', 'Services'] as const
          ).map((type) => imageUse(IMAGE_TYPES[type])),
        },
        { spki: Buffer.from(trust.imageSigningKey, 'base64'), uses: [imageUse(IMAGE_TYPES.Applications)] },
        { spki: Buffer.from(trust.planSigningKey, 'base64'), uses: ['plan'] },
      ],
    },
    certStore: {
      endpoints: [{ host: trust.deviceHost, port: trust.devicePort, serverName: trust.deviceServerName }],
      tlsRoots: trust.tlsRoots.map((root) => new Uint8Array(Buffer.from(root, 'base64'))),
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

async function publish(
  client: Client,
  release: OsRelease,
  journal: Journal,
  progress: Progress,
): Promise<void> {
  for (const [index, image] of release.images.entries()) {
    progress.report(index, release.images.length, `uploading ${image.name}`);
    const uploaded = await client.call(ROUTES.uploadOsImage, { body: image.package });
    prove(uploaded.digest === toHex(image.digest), `The service measured ${image.name} differently.`);
  }
  const body = {
    name: release.name,
    feed: FEED,
    chipSku: CHIP_SKUS[release.chipSku],
    imageIds: release.images.map((image) => image.imageId),
  } as const;
  await client.call(ROUTES.createOsRelease, { body });
  journal.acknowledge({ kind: 'release', id: release.name });
}

async function releasesOf(client: Client): Promise<readonly PublishedRelease[]> {
  return allItems<PublishedRelease>((query) => client.call(ROUTES.osReleases, { query }));
}

/** The next release's name: one more in the last number than any so far. */
async function nextVersion(client: Client): Promise<string> {
  const numbers = (await releasesOf(client)).map((release) => Number(release.name.split('.').at(-1)));
  const last = Math.max(-1, ...numbers.filter((number) => Number.isSafeInteger(number)));
  return `${OS_VERSION.split('.').slice(0, -1).join('.')}.${last + 1}`;
}

/** Step 2: the system images are built, signed and published to `Retail` as a release; once is enough. */
export async function publishFirstRelease(
  telling: Telling,
  client: Client,
  journal: Journal,
  progress: Progress,
): Promise<ReleaseStep> {
  const inForce = (await releasesOf(client)).find(
    (release) => release.feed === FEED && release.revoked === null,
  );
  progress.report(0, 1, 'bundling');
  let release = await build(telling, client, inForce?.name ?? (await nextVersion(client)));
  const published = new Set(inForce?.images.map((image) => image.imageId));
  const isInForce = release.images.every((image) => published.has(image.imageId));
  if (!isInForce) {
    // The sources are not those of the release in force: they become the next one.
    if (inForce) release = await build(telling, client, await nextVersion(client));
    await publish(client, release, journal, progress);
  }
  return describe(
    release,
    isInForce ? 'in force already, built again from the same sources' : 'built, signed, published',
  );
}

/** A release with a changed kernel: every other image is the very same. */
export async function publishNextRelease(
  telling: Telling,
  client: Client,
  journal: Journal,
  progress: Progress,
): Promise<ReleaseStep> {
  const release = await build(telling, client, await nextVersion(client));
  await publish(client, release, journal, progress);
  return describe(release, 'built, signed, published');
}

function describe(release: OsRelease, how: string): ReleaseStep {
  const total = release.images.reduce((sum, image) => sum + image.package.length, 0);
  return {
    release,
    proved: [
      `release ${release.name} in feed ${FEED}: ${how}; ${release.images.length} images, ${Math.round(total / 1024)} KiB`,
      ...release.images.map(
        (image) =>
          `${image.type.padEnd(18)} ${image.name.padEnd(22)} SHA-256 ${toHex(image.digest).slice(0, 16)}…`,
      ),
    ],
    facts: { release: release.name, images: release.images.map((image) => image.type).join() },
  };
}
