import { createHash } from 'node:crypto';
import {
  CHIP_SKUS,
  IMAGE_TYPES,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_FILES,
  encodeUnsignedImagePackage,
  finishImagePackage,
  imageUse,
  verifyImage,
  writeFileSystem,
} from '@sevenfold/formats';
import { CHIP_ENGINES } from '@sevenfold/silicon';
import { makeSigner } from '../compartments/device.ts';
import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';

const SIZE = 1024 * 1024;
/** So many that what is not native has been compiled when the first counted round begins. */
const ROUNDS = 500;
const LEAST_SHARE = 0.7;
const KINDS = [
  {
    name: 'an app',
    imageType: IMAGE_TYPES.Applications,
    componentId: '11111111-2222-4333-8444-555555555555',
    paths: [SYSTEM_IMAGE_FILES.bundle],
  },
  {
    name: 'an image of the system',
    imageType: IMAGE_TYPES.NormalWorldKernel,
    componentId: SYSTEM_COMPONENT_IDS.NormalWorldKernel,
    paths: [SYSTEM_IMAGE_FILES.bundle, SYSTEM_IMAGE_FILES.compartment],
  },
] as const;

/**
 * The decision over an image of 1 MB, as every layer takes it (form, signature, digest to be measured, and of an image
 * of the system its file system, which of an app the kernel reads), by the chip's engines, beside one SHA-256 of
 * `node:crypto` over the same bytes.
 */
export async function measureVerify(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const kind of KINDS) figures.push(await measureKind(kind));
  return figures;
}

async function measureKind({ name, imageType, componentId, paths }: (typeof KINDS)[number]): Promise<Figure> {
  const signer = makeSigner();
  const files = paths.map((path) => ({ path, bytes: new Uint8Array(SIZE / paths.length).fill(0x5a) }));
  const unsigned = encodeUnsignedImagePackage(writeFileSystem(files), {
    imageType,
    componentId,
    imageId: '0c9b8e2a-4f6d-4b1e-8a35-7d2c6e1f0aff',
    name,
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
  const timed = async (work: () => unknown): Promise<number> => {
    const began = performance.now();
    for (let round = 0; round < ROUNDS; round++) await work();
    return (performance.now() - began) / ROUNDS;
  };
  const pairs = await alternate(
    () => timed(() => verifyImage(image, policy, CHIP_ENGINES)),
    () => timed(() => createHash('sha256').update(image).digest()),
  );
  const { ours, theirs, ratio } = compare(pairs, (each) => each);
  return {
    name: `verify and measure ${name} of 1 MB`,
    measured: `${ours.toFixed(2)} ms, ${Math.round(100 / ratio)} % of its speed`,
    peer: `node:crypto SHA-256 ${theirs.toFixed(2)} ms`,
    target: `≥ ${LEAST_SHARE * 100} %`,
    isMet: 1 / ratio >= LEAST_SHARE,
  };
}
