import { describe, expect, it } from 'vitest';
import {
  CHIP_SKUS,
  IMAGE_TYPES,
  SYSTEM_IMAGE_FILES,
  encodeUnsignedImagePackage,
  finishImagePackage,
  imageUse,
  parseImagePackage,
  verifyImage,
  type VerificationEngines,
} from '@sevenfold/formats';
import { CHIP_ENGINES } from '@sevenfold/silicon';
import { keys, makeApp, makeImage, revocationOf, sha256, signWith } from './testing/release.fixture.ts';

const SIZE = 1024 * 1024 - 100;
const policy = {
  imageType: IMAGE_TYPES.NormalWorldKernel,
  chipSku: CHIP_SKUS['SF-V1'],
  leastSecurityVersion: 1,
  keys: [{ ...keys.platform, uses: [imageUse(IMAGE_TYPES.NormalWorldKernel)] }],
  revokedImageDigests: [],
  needsSecondSignature: false,
  provided: [],
};
const kernel = makeImage('NormalWorldKernel', 'kernel', [
  { path: SYSTEM_IMAGE_FILES.bundle, bytes: new Uint8Array(SIZE).fill(0x5a) },
  { path: SYSTEM_IMAGE_FILES.compartment, bytes: Uint8Array.of(1) },
]);

/** The chip's engines, and how many bytes each was given. */
function countingEngines(): VerificationEngines & { readonly hashed: () => number } {
  let hashed = 0;
  return {
    ...CHIP_ENGINES,
    sha256(message) {
      hashed += message.length;
      return CHIP_ENGINES.sha256(message);
    },
    sha256Tails(head, tails) {
      hashed += tails.reduce((sum, tail) => sum + tail.length, head.length);
      return CHIP_ENGINES.sha256Tails(head, tails);
    },
    hashed: () => hashed,
  };
}

/** A kernel whose file system was changed by hand and then signed, or not. */
function forged(change: (payload: Uint8Array) => void, isSigned: boolean): Uint8Array {
  const { payload, fields } = parseImagePackage(Uint8Array.from(kernel));
  change(payload);
  const unsigned = encodeUnsignedImagePackage(payload, fields);
  return finishImagePackage(
    unsigned,
    isSigned ? signWith(keys.platform, unsigned) : new Uint8Array(64).fill(1),
  );
}

describe('the decision over an image', () => {
  it.each([
    ['alone', []],
    ['where images are revoked', [revocationOf(makeApp('other'))]],
  ])('hashes it once, to verify and to measure: %s', async (_what, revokedImageDigests) => {
    const engines = countingEngines();
    const { digest } = await verifyImage(kernel, { ...policy, revokedImageDigests }, engines);
    expect(digest).toEqual(sha256(kernel));
    expect(engines.hashed()).toBeLessThan(kernel.length + 1000);
  });

  it('asks whose it is before it looks inside', async () => {
    const noFileSystem = (payload: Uint8Array): void => {
      payload.fill(0xff);
    };
    const verdict = (image: Uint8Array) => verifyImage(image, policy, CHIP_ENGINES);
    await expect(verdict(forged(noFileSystem, false))).rejects.toMatchObject({ code: 'BadSignature' });
    await expect(verdict(forged(noFileSystem, true))).rejects.toMatchObject({ code: 'InvalidSuperblock' });
  });

  it('holds what a signer signed to every rule of the file system, the checksum of it aside', async () => {
    const verdict = (change: (payload: Uint8Array) => void) =>
      verifyImage(forged(change, true), policy, CHIP_ENGINES);
    await expect(verdict((payload) => payload.set([0o020], 77))).rejects.toMatchObject({
      code: 'UnsupportedNodeType',
    });
    await expect(verdict((payload) => payload.set([1], payload.length - 1))).rejects.toMatchObject({
      code: 'NotCanonical',
    });
    const { file } = await verdict((payload) => payload.set([1], payload.indexOf(0x5a, 4096)));
    expect(file(SYSTEM_IMAGE_FILES.bundle)[0]).toBe(1);
    expect(() => file('/none')).toThrow(expect.objectContaining({ code: 'MissingContent' }));
  });
});
