import { equalBytes } from '../bytes.ts';
import { SevenfoldError } from '../errors.ts';
import { parseImagePackage, type ImagePackage } from '../image-package.ts';
import { imageUse, type KeystoreKey } from '../keystore.ts';
import { SYSTEM_COMPONENT_IDS, SYSTEM_IMAGE_TYPES, IMAGE_TYPES } from './image-types.ts';

/** Why a well-formed image may not run here. (What is not well-formed is refused with the parser's own code.) */
export type ImageRefusal =
  | 'WrongImageType'
  | 'WrongComponent'
  | 'UnknownSigner'
  | 'BadSignature'
  | 'RevokedImage'
  | 'MissingSecurityVersion'
  | 'WrongChipSku'
  | 'SecurityVersionTooLow'
  /** No fused counter could ever follow it. */
  | 'SecurityVersionTooHigh'
  /** A keystore under another root than the fused one, or with a key that is not the one its thumbprint names. */
  | 'WrongRoot'
  | 'InvalidKeystore'
  /** A keystore older than the one in force: it would let revoked images run again. */
  | 'KeystoreTooOld'
  /** The file for which the image was loaded is not in it. */
  | 'MissingContent';

/** Highest security version that a fused counter can hold: an image with a higher one could never be confirmed. */
export const MAX_SECURITY_VERSION = 128;

/** An image that may not run in the place where it was found. */
export class ImageRefused extends SevenfoldError<ImageRefusal> {}

/** What a layer demands of the image it is about to trust. */
export interface ImagePolicy {
  readonly imageType: number;
  readonly chipSku: number;
  /** The fused counter of this image type: less is refused. Not asked of apps. */
  readonly leastSecurityVersion: number;
  readonly keys: readonly KeystoreKey[];
  /** SHA-256 digests of image packages that may no longer run. */
  readonly revokedImageDigests: readonly Uint8Array[];
}

/** The hardware that a layer verifies with. */
export interface VerificationEngines {
  sha256(message: Uint8Array): Promise<Uint8Array>;
  /** ECDSA P-256 over SHA-256 of `message`; `signature` is r‖s. */
  verify(spki: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** An image that a layer may trust. */
export interface VerifiedImage {
  readonly package: ImagePackage;
  /** SHA-256 of the whole image package: what is measured. */
  readonly digest: Uint8Array;
  /** SHA-256 of the signer's SPKI (RFC 9783 §4.4.1, signer id). */
  readonly signerId: Uint8Array;
  /** 0 for apps. */
  readonly securityVersion: number;
}

const componentIdOf = (imageType: number): string | undefined => {
  const name = SYSTEM_IMAGE_TYPES.find((type) => IMAGE_TYPES[type] === imageType);
  return name === undefined ? undefined : SYSTEM_COMPONENT_IDS[name];
};

/**
 * The decision of secure boot: may these bytes run in this place? Each layer asks it of the next one.
 * Throws `FormatError` for what is malformed and `ImageRefused` for everything else that is wrong.
 */
export async function verifyImage(
  untrusted: Uint8Array,
  policy: ImagePolicy,
  engines: VerificationEngines,
): Promise<VerifiedImage> {
  const image = parseImagePackage(untrusted);
  const { fields } = image;
  isOfTheRightType(image, policy);
  const signer = signerFor(image, policy);
  if (!(await engines.verify(signer.spki, image.signedBytes, image.signature))) {
    throw new ImageRefused('BadSignature', `The signature of image ${fields.imageId} is not its signer's.`);
  }
  const digest = await engines.sha256(untrusted);
  isNotRevoked(image, digest, policy);
  const securityVersion =
    componentIdOf(policy.imageType) === undefined ? 0 : isForThisChipAndRecent(image, policy);
  return { package: image, digest, signerId: await engines.sha256(signer.spki), securityVersion };
}

function isOfTheRightType({ fields }: ImagePackage, { imageType }: ImagePolicy): void {
  if (fields.imageType !== imageType) {
    throw new ImageRefused(
      'WrongImageType',
      `An image of type ${fields.imageType} stands where ${imageType} belongs.`,
      {
        rule: `image type ${imageType}`,
      },
    );
  }
  const componentId = componentIdOf(imageType);
  if (componentId !== undefined && fields.componentId !== componentId) {
    throw new ImageRefused(
      'WrongComponent',
      `Component ${fields.componentId} is not the one of image type ${imageType}.`,
      {
        rule: componentId,
      },
    );
  }
}

function signerFor({ fields }: ImagePackage, { keys, imageType }: ImagePolicy): KeystoreKey {
  const signer = keys.find(
    (key) => equalBytes(key.thumbprint, fields.signerThumbprint) && key.uses.includes(imageUse(imageType)),
  );
  if (signer === undefined) {
    throw new ImageRefused(
      'UnknownSigner',
      `Image ${fields.imageId} names no key that may sign image type ${imageType}.`,
    );
  }
  return signer;
}

function isNotRevoked(
  { fields }: ImagePackage,
  digest: Uint8Array,
  { revokedImageDigests }: ImagePolicy,
): void {
  if (revokedImageDigests.some((revoked) => equalBytes(revoked, digest))) {
    throw new ImageRefused('RevokedImage', `Image ${fields.imageId} is revoked by the trusted keystore.`);
  }
}

function isForThisChipAndRecent(
  { fields }: ImagePackage,
  { chipSku, leastSecurityVersion }: ImagePolicy,
): number {
  const { securityVersion } = fields;
  if (securityVersion === undefined) {
    throw new ImageRefused(
      'MissingSecurityVersion',
      `System image ${fields.imageId} states no security version.`,
    );
  }
  if (securityVersion.chipSku !== chipSku) {
    throw new ImageRefused(
      'WrongChipSku',
      `Image ${fields.imageId} is for chip SKU ${securityVersion.chipSku}.`,
      {
        rule: `chip SKU ${chipSku}`,
      },
    );
  }
  if (securityVersion.version < leastSecurityVersion) {
    throw new ImageRefused(
      'SecurityVersionTooLow',
      `Image ${fields.imageId} has security version ${securityVersion.version}.`,
      { rule: `at least ${leastSecurityVersion}` },
    );
  }
  if (securityVersion.version > MAX_SECURITY_VERSION) {
    throw new ImageRefused(
      'SecurityVersionTooHigh',
      `Image ${fields.imageId} has security version ${securityVersion.version}.`,
      { rule: `at most ${MAX_SECURITY_VERSION}` },
    );
  }
  return securityVersion.version;
}
