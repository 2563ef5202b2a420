import {
  IMAGE_TYPES,
  SYSTEM_IMAGE_FILES,
  SYSTEM_IMAGE_TYPES,
  decodeKeystore,
  parseFileSystem,
  parseImagePackage,
  signedBytesOf,
  toHex,
  utf8Decode,
} from '@sevenfold/formats';
import { sha256, verifySignature } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import { buildOsRelease, type OsReleaseOptions } from './os-release.ts';
import { makeSigner } from './testing/packages.ts';

const root = makeSigner();
const platform = makeSigner();
const plan = makeSigner();
const options: OsReleaseOptions = {
  version: '26.11.0',
  root,
  platform,
  keystore: {
    version: 3,
    keys: [
      { spki: platform.spki, uses: SYSTEM_IMAGE_TYPES.map((type) => `image:${type}`) },
      { spki: plan.spki, uses: ['plan', 'image:Applications'] },
    ],
  },
  certStore: {
    endpoints: [{ host: 'devices.example', port: 7443, serverName: 'devices.example' }],
    tlsRoots: [Uint8Array.of(0x30, 0)],
  },
};

describe('an OS release', () => {
  it('holds every system image, signed, in the order of the boot', async () => {
    const release = await buildOsRelease(options);
    expect(release.name).toBe('26.11.0');
    expect(release.rootKeyHash).toEqual(sha256(root.spki));
    expect(release.images.map(({ type }) => type)).toEqual([...SYSTEM_IMAGE_TYPES]);
    for (const image of release.images) {
      const parsed = parseImagePackage(image.package);
      const signer = image.type === 'TrustedKeystore' ? root : platform;
      expect(parsed.fields).toMatchObject({
        imageType: IMAGE_TYPES[image.type],
        imageId: image.imageId,
        name: image.name,
        securityVersion: { version: image.type === 'TrustedKeystore' ? 3 : 1, chipSku: 1 },
      });
      expect(verifySignature(signer.spki, signedBytesOf(parsed), parsed.signature)).toBe(true);
      expect(image.digest).toEqual(sha256(image.package));
    }
  });

  it('carries stages that leave their module in a global and name no import', async () => {
    const { images } = await buildOsRelease(options);
    const stages = images.flatMap(({ package: bytes }) => {
      const files = parseFileSystem(parseImagePackage(bytes).payload);
      return [SYSTEM_IMAGE_FILES.bundle, SYSTEM_IMAGE_FILES.compartment].flatMap(
        (path) => files.read(path) ?? [],
      );
    });
    expect(stages).toHaveLength(5);
    for (const stage of stages) {
      const text = utf8Decode(stage);
      expect(text.slice(0, 60)).toMatch(/^\/\* \w+ 26\.11\.0 \*\/\n(?:"use strict";)?var stage=/);
      expect(/\bimport\b/.test(text)).toBe(false);
    }
  });

  it('names the keys of its keystore by their thumbprints', async () => {
    const { images } = await buildOsRelease(options);
    const keystore = parseFileSystem(parseImagePackage(images[0]?.package ?? new Uint8Array()).payload);
    const decoded = decodeKeystore(keystore.read(SYSTEM_IMAGE_FILES.keystore) ?? new Uint8Array());
    expect(decoded).toMatchObject({ version: 3, rootSpki: root.spki, revokedImageDigests: [] });
    expect(decoded.keys.map(({ uses }) => uses.length)).toEqual([6, 2]);
  });

  it('is the same for the same sources, but for the signatures', async () => {
    const [first, second] = await Promise.all([buildOsRelease(options), buildOsRelease(options)]);
    const unsigned = ({ images }: typeof first) =>
      images.map((image) => toHex(sha256(image.package.slice(0, -64))));
    expect(unsigned(first)).toEqual(unsigned(second));
    expect(first.images.map(({ imageId }) => imageId)).toEqual(second.images.map(({ imageId }) => imageId));
  });

  it('shares with the next one what did not change', async () => {
    const first = await buildOsRelease(options);
    const kept = new Map(first.images.map((image) => [image.imageId, image.package]));
    const next = await buildOsRelease({
      ...options,
      kernelVersion: '26.11.1',
      existing: (imageId) => Promise.resolve(kept.get(imageId) ?? null),
    });
    expect(next.name).toBe('26.11.1');
    const changed = next.images.filter(
      ({ digest }, index) => toHex(digest) !== toHex(first.images[index]?.digest ?? digest),
    );
    expect(changed.map(({ type, name }) => `${type} ${name}`)).toEqual(['NormalWorldKernel kernel 26.11.1']);
  });

  it('has other ids for another signer, version or content', async () => {
    const ids = async (changes: Partial<OsReleaseOptions>): Promise<string[]> =>
      (await buildOsRelease({ ...options, ...changes })).images.map(({ imageId }) => imageId);
    const before = await ids({});
    const count = async (changes: Partial<OsReleaseOptions>): Promise<number> =>
      (await ids(changes)).filter((id, index) => id !== before[index]).length;
    // The keystore as well: it has the other key.
    const other = makeSigner();
    const keys = options.keystore.keys.map((key) =>
      key.spki === platform.spki ? { ...key, spki: other.spki } : key,
    );
    expect(await count({ platform: other, keystore: { ...options.keystore, keys } })).toBe(6);
    expect(await count({ version: '26.12.0' })).toBe(4);
    expect(await count({ keystore: { ...options.keystore, version: 4 } })).toBe(1);
    expect(await count({ certStore: { ...options.certStore, tlsRoots: [Uint8Array.of(0x30, 1, 0)] } })).toBe(
      1,
    );
    // The keystore's security version is its own.
    expect(await count({ securityVersion: 2 })).toBe(5);
  });

  it('refuses what is no version, and a kept package with another content', async () => {
    const keys = [{ spki: platform.spki, uses: ['image:Services'] }];
    await expect(
      buildOsRelease({ ...options, keystore: { ...options.keystore, keys } }),
    ).rejects.toMatchObject({ code: 'ReleaseInvalid', field: 'keystore.keys' });
    await expect(buildOsRelease({ ...options, version: 'latest' })).rejects.toMatchObject({
      code: 'ReleaseInvalid',
      field: 'version',
    });
    const other = (await buildOsRelease({ ...options, version: '26.12.0' })).images[0]?.package ?? null;
    await expect(
      buildOsRelease({
        ...options,
        keystore: { ...options.keystore, version: 9 },
        existing: () => Promise.resolve(other),
      }),
    ).rejects.toMatchObject({ code: 'ReleaseInvalid' });
  });
});
