import { readdir } from 'node:fs/promises';
import path from 'node:path';
import {
  encodeSymbolMap,
  FormatError,
  parseImagePackage,
  signedBytesOf,
  SYSTEM_COMPONENT_IDS,
} from '@sevenfold/formats';
import { generateKeyPair, sha256, thumbprint, verifySignature } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerPlatformKey } from '../deployments/platform-keys.ts';
import { uploadOsImage } from '../deployments/os-images.ts';
import { openTestService, type TestService } from '../test-service.ts';
import { imageSigningKey } from './image-signer.ts';
import {
  getImage,
  getMaterials,
  listImages,
  reportedImages,
  uploadMaterials,
  uploadSymbols,
} from './images.ts';
import { appImagePackage, billOf, imageIdOf, systemImagePackage } from './testing-images.ts';
import { uploadImage } from './upload-image.ts';

const TENANT = '6f1b0d6e-0000-4000-8000-000000000001';
const OTHER = '6f1b0d6e-0000-4000-8000-000000000002';

describe('uploading an application image', () => {
  let service: TestService;
  beforeEach(async () => {
    service = await openTestService();
  });
  afterEach(() => service.close());

  const count = async (): Promise<number> => (await listImages(service, TENANT, {})).items.length;

  it('keeps it with the service’s signature and nothing else changed', async () => {
    const uploaded = appImagePackage();
    const image = await uploadImage(service, TENANT, uploaded);
    const kept = await service.blobs.read(image.digest);
    expect(Buffer.from(sha256(kept)).toString('hex')).toBe(image.digest);
    expect(kept.length).toBe(image.size);
    const before = parseImagePackage(uploaded);
    const after = parseImagePackage(kept);
    const spki = await imageSigningKey(service.keys);
    expect(after.fields).toEqual({ ...before.fields, signerThumbprint: thumbprint(spki) });
    expect(after.payload).toEqual(before.payload);
    expect(verifySignature(spki, signedBytesOf(after), after.signature)).toBe(true);
    expect(image).toMatchObject({
      imageId: imageIdOf(1),
      imageType: 'Applications',
      buildTime: 1_790_000_000_000,
    });
  });

  it('takes the same image again, whoever signed it, also at the same time', async () => {
    const first = await uploadImage(service, TENANT, appImagePackage());
    const again = await Promise.all([1, 2, 3].map(() => uploadImage(service, TENANT, appImagePackage())));
    expect(again).toEqual([first, first, first]);
    expect(await count()).toBe(1);
  });

  it('refuses other content under a known image id, and a tenant that uses another’s', async () => {
    const first = await uploadImage(service, TENANT, appImagePackage());
    const conflict = { code: 'ImageConflict', field: 'imageId' };
    await expect(uploadImage(service, TENANT, appImagePackage({ code: 'other' }))).rejects.toMatchObject(
      conflict,
    );
    await expect(uploadImage(service, OTHER, appImagePackage())).rejects.toMatchObject(conflict);
    expect(await getImage(service.store.read, TENANT, imageIdOf(1))).toEqual(first);
    await expect(getImage(service.store.read, OTHER, imageIdOf(1))).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  it('cannot take the place of a system image', async () => {
    const platform = generateKeyPair();
    await registerPlatformKey(service, platform.spki);
    await uploadOsImage(service, systemImagePackage('Services', imageIdOf(7), platform));
    await expect(
      uploadImage(service, TENANT, appImagePackage({ imageId: imageIdOf(7) })),
    ).rejects.toMatchObject({
      code: 'ImageConflict',
    });
  });

  const bad: Readonly<Record<string, readonly [() => Uint8Array, object]>> = {
    'nothing at all': [() => new Uint8Array(), { code: 'ImageTooShort' }],
    'no image package': [() => new Uint8Array(5000), { code: 'InvalidMetadata' }],
    'a package cut short': [() => appImagePackage().subarray(0, -1), { code: 'InvalidMetadata' }],
    'a system image': [
      () => systemImagePackage('Services', imageIdOf(1), generateKeyPair()),
      { code: 'ImageNotDeployable', field: 'imageType' },
    ],
    'a manifest that is no JSON': [() => appImagePackage({ manifest: '{' }), { code: expect.any(String) }],
    'a manifest without capabilities': [
      () => appImagePackage({ manifest: { Capabilities: undefined } }),
      { code: 'MissingCapabilitiesList', field: 'Capabilities' },
    ],
    'a manifest without its entry point': [
      () => appImagePackage({ manifest: { EntryPoint: '/bin/other' } }),
      { code: 'SpecifiedEntryPointDoesNotExist' },
    ],
    'a manifest of another component': [
      () => appImagePackage({ manifest: { ComponentId: imageIdOf(9) } }),
      { code: 'ImageNotDeployable', field: 'componentId' },
    ],
    'an app that takes the place of the kernel in every plan': [
      () => appImagePackage({ componentId: SYSTEM_COMPONENT_IDS.NormalWorldKernel }),
      { code: 'BadComponentId', field: 'ComponentId' },
    ],
    'a build time that no list of images could show': [
      () => appImagePackage({ buildTime: Number.MAX_SAFE_INTEGER }),
      { code: 'ImageNotDeployable', field: 'buildTime' },
    ],
  };
  it.each(Object.keys(bad))('refuses %s and keeps nothing', async (name) => {
    const [make, problem] = bad[name] ?? [() => new Uint8Array(), {}];
    await expect(uploadImage(service, TENANT, make())).rejects.toMatchObject(problem);
    expect(await count()).toBe(0);
  });

  it('lets one of two builds that come at once under one image id through, and tells the other', async () => {
    await imageSigningKey(service.keys);
    const builds = ['one', 'two', 'three'].map((code) => appImagePackage({ code }));
    const outcomes = await Promise.allSettled(builds.map((build) => uploadImage(service, TENANT, build)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ImageConflict' });
      else expect(await getImage(service.store.read, TENANT, imageIdOf(1))).toEqual(outcome.value);
    }
    expect(await count()).toBe(1);
  });

  it('has an end: a tenant that has as many as it may gets no more, and nobody else suffers', async () => {
    await imageSigningKey(service.keys);
    const build = (number: number): Uint8Array => appImagePackage({ imageId: imageIdOf(number) });
    const uploads = [1, 2, 3, 4, 5, 6].map((number) => uploadImage(service, TENANT, build(number), 4));
    const outcomes = await Promise.allSettled(uploads);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'TooManyImages' });
    }
    expect(await count()).toBe(4);
    await expect(uploadImage(service, TENANT, build(7), 4)).rejects.toMatchObject({ code: 'TooManyImages' });
    await uploadImage(service, OTHER, build(8), 4);
  });

  it('keeps the symbols and bills that images have, and none that were replaced, however they come', async () => {
    await imageSigningKey(service.keys);
    const ids = [1, 2].map(imageIdOf);
    for (const imageId of ids) await uploadImage(service, TENANT, appImagePackage({ imageId }));
    const images = (await listImages(service, TENANT, {})).items.map(({ digest }) => digest);
    const maps = Array.from({ length: 10 }, (_, index) =>
      encodeSymbolMap({ functions: [{ index, name: 'main' }], lines: [] }),
    );
    await Promise.all(
      maps.flatMap((map, index) =>
        ids.flatMap((imageId) => [
          uploadSymbols(service, TENANT, imageId, map),
          uploadMaterials(service, TENANT, imageId, billOf(imageId, `part ${index}`)),
        ]),
      ),
    );
    const named = new Set<string>();
    for (const imageId of ids) {
      const { symbolsDigest, materialsDigest } = await getImage(service.store.read, TENANT, imageId);
      for (const digest of [symbolsDigest, materialsDigest]) {
        expect(await service.blobs.has(digest ?? '')).toBe(true);
        named.add(digest ?? '');
      }
    }
    const files = await readdir(path.join(service.folder, 'blobs'), { recursive: true });
    const kept = files.map((file) => path.basename(file)).filter((name) => name.length === 64);
    expect(kept.sort()).toEqual([...new Set([...images, ...named])].sort());
  });

  it('goes on after a service that died between the blob and its row', async () => {
    const died = new Error('killed');
    const store = { ...service.store, read: service.store.read, write: () => Promise.reject(died) };
    await expect(uploadImage({ ...service, store }, TENANT, appImagePackage())).rejects.toBe(died);
    expect(await count()).toBe(0);
    const image = await uploadImage(service, TENANT, appImagePackage());
    expect(await service.blobs.has(image.digest)).toBe(true);
    expect(await count()).toBe(1);
  });

  it('keeps the bill of materials of an image as it came, for its tenant alone', async () => {
    const imageId = imageIdOf(1);
    await uploadImage(service, TENANT, appImagePackage());
    await expect(getMaterials(service, TENANT, imageId)).rejects.toMatchObject({ code: 'NotFound' });
    const [bill, foreign] = [billOf(imageId, 'libfoo'), billOf(imageIdOf(2), 'libfoo')];
    for (const wrong of [foreign, Uint8Array.of(1, 2)])
      await expect(uploadMaterials(service, TENANT, imageId, wrong)).rejects.toBeInstanceOf(FormatError);
    for (const call of [
      () => uploadMaterials(service, OTHER, imageId, bill),
      () => getMaterials(service, OTHER, imageId),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'NotFound' });
    const { materialsDigest } = await uploadMaterials(service, TENANT, imageId, bill);
    const kept = await getMaterials(service, TENANT, imageId);
    expect(kept.digest).toBe(materialsDigest);
    expect(Buffer.from(kept.document).equals(bill)).toBe(true);
    expect(kept.bill.components).toMatchObject([{ type: 'library', name: 'libfoo' }]);
  });

  it('keeps symbols for failures of its tenant, and refuses what is no symbol map', async () => {
    await uploadImage(service, TENANT, appImagePackage());
    const symbols = encodeSymbolMap({
      functions: [{ index: 0, name: 'main' }],
      lines: [{ offset: 10, file: 'main.c', line: 5, function: 'main' }],
    });
    await expect(uploadSymbols(service, TENANT, imageIdOf(1), Uint8Array.of(1, 2))).rejects.toMatchObject({
      code: expect.stringMatching(/^[A-Z]/),
    });
    expect((await getImage(service.store.read, TENANT, imageIdOf(1))).symbolsDigest).toBeNull();
    await expect(uploadSymbols(service, OTHER, imageIdOf(1), symbols)).rejects.toMatchObject({
      code: 'NotFound',
    });
    await uploadSymbols(service, TENANT, imageIdOf(1), symbols);
    const images = reportedImages(service);
    expect((await images.findSymbols(TENANT, imageIdOf(1)))?.functions).toEqual([{ index: 0, name: 'main' }]);
    expect(await images.findSymbols(OTHER, imageIdOf(1))).toBeNull();
    expect(await images.findUploadTime(TENANT, imageIdOf(1))).toBe(service.clock.now());
  });
});
