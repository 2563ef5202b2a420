import { createHash } from 'node:crypto';
import {
  CHIP_SKUS,
  IMAGE_TYPES,
  SYSTEM_IMAGE_FILES,
  encodeUnsignedImagePackage,
  finishImagePackage,
  imageUse,
  verifyImage,
  writeFileSystem,
} from '@sevenfold/formats';
import { sha256, verifyMlDsa65, verifyP256 } from '../../packages/silicon/src/engines.ts';
import { makeSigner } from '../compartments/device.ts';
import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';

const SIZE = 1024 * 1024;
const ROUNDS = 100;
const LEAST_SHARE = 0.7;

/**
 * The decision over an image of 1 MB (form, signature, digest; the file system of an app is read when it is used), by
 * the chip's engines, beside one SHA-256 of `node:crypto`. That library verifies no signature over a digest, so the
 * bytes are hashed twice: once within its ECDSA and once to be measured.
 */
export async function measureVerify(): Promise<Figure> {
  const signer = makeSigner();
  const imageType = IMAGE_TYPES.Applications;
  const files = [{ path: SYSTEM_IMAGE_FILES.bundle, bytes: new Uint8Array(SIZE).fill(0x5a) }];
  const unsigned = encodeUnsignedImagePackage(writeFileSystem(files), {
    imageType,
    componentId: '11111111-2222-4333-8444-555555555555',
    imageId: '0c9b8e2a-4f6d-4b1e-8a35-7d2c6e1f0aff',
    name: 'app',
    buildTime: 0,
    signerThumbprint: signer.thumbprint,
    securityVersion: { version: 1, chipSku: CHIP_SKUS['SF-V1'] },
  });
  const image = finishImagePackage(unsigned, await signer.sign(unsigned));
  const policy = {
    imageType,
    chipSku: CHIP_SKUS['SF-V1'],
    leastSecurityVersion: 0,
    keys: [{ ...signer, uses: [imageUse(imageType)] }],
    revokedImageDigests: [],
    needsSecondSignature: false,
    provided: [],
  };
  const engines = {
    sha256: async (message: Uint8Array) => sha256(message),
    verify: async (...args: Parameters<typeof verifyP256>) => verifyP256(...args),
    verifySecond: async (...args: Parameters<typeof verifyMlDsa65>) => verifyMlDsa65(...args),
  };
  const timed = async (work: () => unknown): Promise<number> => {
    const began = performance.now();
    for (let round = 0; round < ROUNDS; round++) await work();
    return (performance.now() - began) / ROUNDS;
  };
  const pairs = await alternate(
    () => timed(() => verifyImage(image, policy, engines)),
    () => timed(() => createHash('sha256').update(image).digest()),
  );
  const { ours, theirs, ratio } = compare(pairs, (each) => each);
  return {
    name: 'verify and measure an image of 1 MB',
    measured: `${ours.toFixed(2)} ms, ${Math.round(100 / ratio)} % of its speed`,
    peer: `node:crypto SHA-256 ${theirs.toFixed(2)} ms`,
    target: `≥ ${LEAST_SHARE * 100} %`,
    isMet: 1 / ratio >= LEAST_SHARE,
  };
}
