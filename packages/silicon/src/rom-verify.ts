import {
  IMAGE_TYPES,
  verifyImage,
  verifyKeystore,
  type AbiVersion,
  type KeystoreEngines,
  type SystemImageTypeName,
  type TrustedKeystore,
  type VerifiedImage,
} from '@sevenfold/formats';
import type { Chip } from './chip.ts';
import { verifyP256Digest } from './ecdsa-digest.ts';
import { sha1, sha256, sha256Tails, verifyMlDsa65 } from './engines.ts';

/** An image that the mask ROM verified. */
export type RomImage = VerifiedImage & {
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
};

/** The chip's engines, as the mask ROM verifies with them. */
export const CHIP_ENGINES: KeystoreEngines = {
  sha1: (message) => Promise.resolve(sha1(message)),
  sha256: (message) => Promise.resolve(sha256(message)),
  sha256Tails: (head, tails) => Promise.resolve(sha256Tails(head, tails)),
  verifyDigest: (spki, digest, signature) => Promise.resolve(verifyP256Digest(spki, digest, signature)),
  verifySecond: (spki, message, signature) => Promise.resolve(verifyMlDsa65(spki, message, signature)),
};

/** The keystore: signed by the root that is fused, and not older than the fused counter. */
export async function verifyRomKeystore(
  chip: Chip,
  untrusted: Uint8Array,
): Promise<RomImage & { readonly keystore: TrustedKeystore }> {
  return named(await verifyKeystore(untrusted, policyOf(chip, 'TrustedKeystore'), CHIP_ENGINES));
}

/** Any other image of the system: under a keystore that was verified, over layers that offer `provided`. */
export async function verifyRomImage(
  chip: Chip,
  type: SystemImageTypeName,
  below: { readonly trusted: TrustedKeystore; readonly provided: readonly AbiVersion[] },
  untrusted: Uint8Array,
): Promise<RomImage> {
  const policy = { ...policyOf(chip, type), ...below.trusted, provided: below.provided };
  return named(await verifyImage(untrusted, policy, CHIP_ENGINES));
}

/** What the fuses say of an image type. */
function policyOf({ fuses }: Chip, type: SystemImageTypeName) {
  return {
    imageType: IMAGE_TYPES[type],
    rootKeyHash: fuses.rootKeyHash,
    chipSku: fuses.chipSku,
    leastSecurityVersion: fuses.securityVersion(type),
    needsSecondSignature: fuses.needsSecondSignature,
  };
}

function named<Image extends VerifiedImage>(image: Image): Image & RomImage {
  const { imageId, componentId, name } = image.package.fields;
  return { ...image, imageId, componentId, name };
}
