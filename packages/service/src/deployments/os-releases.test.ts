import { SYSTEM_IMAGE_TYPES, toHex } from '@sevenfold/formats';
import { generateKeyPair, sha256, spkiSha256 } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appImagePackage, imageIdOf, keystoreOf, systemImagePackage } from '../images/testing-images.ts';
import { uploadImage } from '../images/upload-image.ts';
import { openTestService, type TestService } from '../test-service.ts';
import { openImage } from './open-image.ts';
import { uploadOsImage } from './os-images.ts';
import {
  createOsRelease,
  currentForFeed,
  listOsReleases,
  referenceFor,
  revokeOsRelease,
} from './os-releases.ts';
import { listPlatformKeys, registerPlatformKey } from './platform-keys.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('OS images and releases', () => {
  let service: TestService;
  const platform = generateKeyPair();
  beforeEach(async () => {
    service = await openTestService();
    await registerPlatformKey(service, platform.spki);
  });
  afterEach(() => service.close());

  /** Uploads one image a type; ids from `first` on. Types in `same` keep the ids and bytes of the first release. */
  const uploadSet = async (first: number, kernel = 'kernel'): Promise<string[]> => {
    const ids: string[] = [];
    for (const [index, type] of SYSTEM_IMAGE_TYPES.entries()) {
      const isKernel = type === 'NormalWorldKernel';
      const imageId = imageIdOf(isKernel ? first : 100 + index);
      await uploadOsImage(
        service,
        systemImagePackage(type, imageId, platform, isKernel ? { content: kernel } : {}),
      );
      ids.push(imageId);
    }
    return ids;
  };
  const publish = (name: string, imageIds: readonly string[], feed: 'Retail' | 'RetailEval' = 'Retail') =>
    createOsRelease(service, { name, feed, chipSku: 1, imageIds });
  const current = async (feed: 'Retail' | 'RetailEval' = 'Retail', sku = 1) =>
    (await currentForFeed(service.store.read, feed, sku))?.name ?? null;

  it('keeps a system image exactly as the platform signed it', async () => {
    const bytes = systemImagePackage('Services', imageIdOf(1), platform);
    const image = await uploadOsImage(service, bytes);
    expect(image).toMatchObject({
      imageType: 'Services',
      chipSku: 1,
      securityVersion: 3,
      digest: hex(sha256(bytes)),
    });
    const opened = await openImage(service, imageIdOf(1));
    expect(await opened?.read()).toEqual(bytes);
    expect(await uploadOsImage(service, bytes)).toEqual(image);
    const again = systemImagePackage('Services', imageIdOf(1), platform);
    expect((await uploadOsImage(service, again)).digest).toBe(image.digest);
  });

  it('refuses images that the platform has not signed, or that are none of the system’s', async () => {
    const bytes = systemImagePackage('Services', imageIdOf(1), platform);
    const stranger = systemImagePackage('Services', imageIdOf(1), generateKeyPair());
    await expect(uploadOsImage(service, stranger)).rejects.toMatchObject({
      code: 'UntrustedSigner',
      field: 'signerThumbprint',
    });
    const flipped = bytes.slice();
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    await expect(uploadOsImage(service, flipped)).rejects.toMatchObject({
      code: 'UntrustedSigner',
      field: 'signature',
    });
    const wrongComponent = systemImagePackage('Services', imageIdOf(1), platform, {
      componentId: imageIdOf(5),
    });
    await expect(uploadOsImage(service, wrongComponent)).rejects.toMatchObject({
      code: 'ImageNotDeployable',
      field: 'componentId',
    });
    await expect(uploadOsImage(service, appImagePackage({ key: platform }))).rejects.toMatchObject({
      code: 'ImageNotDeployable',
      field: 'imageType',
    });
    expect(await openImage(service, imageIdOf(1))).toBeNull();
  });

  it('refuses other content under a known id, a tenant’s image id too', async () => {
    await uploadOsImage(service, systemImagePackage('Services', imageIdOf(1), platform));
    const other = systemImagePackage('Services', imageIdOf(1), platform, { content: 'other' });
    await expect(uploadOsImage(service, other)).rejects.toMatchObject({
      code: 'ImageConflict',
      field: 'imageId',
    });
    await uploadImage(service, imageIdOf(50), appImagePackage({ imageId: imageIdOf(2) }));
    const taken = systemImagePackage('Services', imageIdOf(2), platform);
    await expect(uploadOsImage(service, taken)).rejects.toMatchObject({ code: 'ImageConflict' });
  });

  it('puts the newest release of a feed in force, and falls back when it is revoked', async () => {
    const first = await uploadSet(1, 'one');
    const second = await uploadSet(2, 'two');
    expect(await current()).toBeNull();
    await publish('26.11.0', first);
    await publish('26.12.0', second, 'RetailEval');
    expect([await current(), await current('RetailEval'), await current('Retail', 9)]).toEqual([
      '26.11.0',
      '26.12.0',
      null,
    ]);
    await revokeOsRelease(service, '26.12.0', 'kernel hole');
    expect([await current(), await current('RetailEval')]).toEqual(['26.11.0', '26.11.0']);
    const { items } = await listOsReleases(service, {});
    expect(items.map(({ name, revoked }) => [name, revoked?.reason ?? null])).toEqual([
      ['26.12.0', 'kernel hole'],
      ['26.11.0', null],
    ]);
    expect(items[0]?.images.map(({ imageType }) => imageType)).toEqual([...SYSTEM_IMAGE_TYPES]);
  });

  it('knows what a measured digest belongs to; an image is revoked when all of its releases are', async () => {
    const first = await publish('1.0', await uploadSet(1, 'one'));
    await publish('2.0', await uploadSet(2, 'two'));
    const digestOf = (type: string) => first.images.find(({ imageType }) => imageType === type)?.digest ?? '';
    const reference = (digest: string) => referenceFor(service.store.read, digest);
    expect(await reference('0'.repeat(64))).toBeNull();
    expect(await reference(digestOf('Services'))).toEqual({
      releases: ['2.0', '1.0'],
      imageType: 'Services',
      name: 'services',
      signerId: toHex(spkiSha256(platform.spki)),
      revoked: false,
      securityVersion: 3,
      sequence: 2,
    });
    await revokeOsRelease(service, '1.0', 'kernel hole');
    expect(await reference(digestOf('NormalWorldKernel'))).toMatchObject({
      releases: ['1.0'],
      revoked: true,
      sequence: 0,
    });
    expect(await reference(digestOf('Services'))).toMatchObject({ revoked: false });
    // An image counts by the newest release of its that still holds.
    await revokeOsRelease(service, '2.0', 'another one');
    expect(await reference(digestOf('Services'))).toMatchObject({ revoked: true, sequence: 0 });
  });

  it('refuses a release whose own keystore lacks a key of its images, or is none: no device could boot it', async () => {
    const ids = await uploadSet(1);
    const types = SYSTEM_IMAGE_TYPES.filter((type) => type !== 'NormalWorldKernel');
    const stranger = generateKeyPair();
    for (const [number, keystore, field] of [
      [200, keystoreOf(platform.spki, types), ids.findIndex((id) => id === imageIdOf(1))],
      [201, keystoreOf(stranger.spki), SYSTEM_IMAGE_TYPES.findIndex((type) => type !== 'TrustedKeystore')],
      [202, { path: '/keystore', bytes: new Uint8Array(9) }, 0],
    ] as const) {
      const imageId = imageIdOf(number);
      await uploadOsImage(service, systemImagePackage('TrustedKeystore', imageId, platform, { keystore }));
      const others = SYSTEM_IMAGE_TYPES.map((type, index) =>
        type === 'TrustedKeystore' ? imageId : (ids[index] ?? ''),
      );
      await expect(publish('1.0', others)).rejects.toMatchObject({
        code: 'KeystoreLacksSigner',
        field: `imageIds.${field}`,
      });
    }
    expect(await current()).toBeNull();
    await publish('1.0', ids);
  });

  it('refuses releases that are not whole, and changes of one that is published', async () => {
    const ids = await uploadSet(1);
    await expect(publish('1.0', ids.slice(1))).rejects.toMatchObject({
      code: 'IncompleteRelease',
      field: 'imageIds',
    });
    await expect(publish('1.0', [...ids, imageIdOf(77)])).rejects.toMatchObject({
      code: 'NotFound',
      field: 'imageIds.6',
    });
    await expect(
      createOsRelease(service, { name: '1.0', feed: 'Retail', chipSku: 2, imageIds: ids }),
    ).rejects.toMatchObject({
      code: 'IncompleteRelease',
      field: 'imageIds.0',
    });
    expect(await current()).toBeNull();
    const release = await publish('1.0', ids);
    expect(await publish('1.0', ids)).toEqual(release);
    await expect(publish('1.0', await uploadSet(2, 'two'))).rejects.toMatchObject({
      code: 'AlreadyExists',
      field: 'name',
    });
    await expect(revokeOsRelease(service, '9.9', 'x')).rejects.toMatchObject({
      code: 'NotFound',
      field: 'name',
    });
  });

  it('accepts a platform key once', async () => {
    await registerPlatformKey(service, platform.spki);
    expect(await listPlatformKeys(service)).toHaveLength(1);
    await expect(registerPlatformKey(service, new Uint8Array(91))).rejects.toMatchObject({
      code: 'InvalidPublicKey',
    });
  });
});
