import { equalBytes } from '../bytes.ts';
import { SevenfoldError } from '../errors.ts';
import { parseImagePackage, signedBytesOf, type ImagePackage } from '../image-package.ts';
import type { AbiVersion } from '../image-metadata.ts';
import { imageUse, type KeystoreKey } from '../keystore.ts';
import { parseFileSystem, parseSignedFileSystem, type FileSystem } from '../asxipfs-parser.ts';
import { IMAGE_TYPES, NEEDED_FILES, SYSTEM_COMPONENT_IDS, SYSTEM_IMAGE_TYPES } from './image-types.ts';

/** Why a well-formed image may not run here. (What is not well-formed is refused with the parser's own code.) */
export type ImageRefusal =
  | 'WrongImageType'
  | 'WrongComponent'
  | 'UnknownSigner'
  | 'BadSignature'
  /** This chip wants a second signature (ML-DSA-65) on images of the system: it is missing, or not the signer's. */
  | 'MissingSecondSignature'
  | 'BadSecondSignature'
  | 'RevokedImage'
  /** It needs an interface that no layer below it offers. */
  | 'AbiNotProvided'
  | 'MissingSecurityVersion'
  | 'WrongChipSku'
  | 'SecurityVersionTooLow'
  /** No fused counter could ever follow it. */
  | 'SecurityVersionTooHigh'
  /** A keystore under another root than the fused one, or one whose parts do not fit each other. */
  | 'WrongRoot'
  | 'InvalidKeystore'
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
  /** The fused counter of this image type, or what the device keeps of an app: less is refused. */
  readonly leastSecurityVersion: number;
  readonly keys: readonly KeystoreKey[];
  /** SHA-256 of what the signatures of images cover that may no longer run. */
  readonly revokedImageDigests: readonly Uint8Array[];
  /** A fuse says so: images of the system carry an ML-DSA-65 signature as well. */
  readonly needsSecondSignature: boolean;
  /** What the layers below offer; null where that is not settled yet: while an image is staged. */
  readonly provided: readonly AbiVersion[] | null;
}

/** The hardware that a layer verifies with. */
export interface VerificationEngines {
  sha256(message: Uint8Array): Promise<Uint8Array>;
  /** SHA-256 of `head` followed by each of `tails`, with one pass over `head`. */
  sha256Tails(head: Uint8Array, tails: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  /** ECDSA P-256 over a digest of SHA-256; `signature` is r‖s. */
  verifyDigest(spki: Uint8Array, digest: Uint8Array, signature: Uint8Array): Promise<boolean>;
  /** ML-DSA-65 (FIPS 204), with an empty context, over `message` itself. */
  verifySecond(spki: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** An image that a layer may trust. */
export interface VerifiedImage {
  readonly package: ImagePackage;
  /** SHA-256 of the whole image package: what is measured. */
  readonly digest: Uint8Array;
  /** SHA-256 of the signer's SPKI (RFC 9783 §4.4.1, signer id). */
  readonly signerId: Uint8Array;
  /** 0 for apps that state none. */
  readonly securityVersion: number;
  /**
   * A file of an image of the system; throws `ImageRefused` where it is missing, which those of `NEEDED_FILES` are not.
   * Of an app there is none: its file system is for the kernel to read.
   */
  readonly file: (path: string) => Uint8Array;
}

const componentIdOf = (imageType: number): string | undefined => {
  const name = SYSTEM_IMAGE_TYPES.find((type) => IMAGE_TYPES[type] === imageType);
  return name === undefined ? undefined : SYSTEM_COMPONENT_IDS[name];
};

/**
 * The decision of secure boot: may these bytes run in this place? Each layer asks it of the next one, and whoever
 * stages or recovers asks it, too. Throws `FormatError` for what is malformed and `ImageRefused` for everything else
 * that is wrong. What it gives is measured before it runs.
 */
export async function verifyImage(
  untrusted: Uint8Array,
  policy: ImagePolicy,
  engines: VerificationEngines,
): Promise<VerifiedImage> {
  const image = parseImagePackage(untrusted);
  isOfTheRightType(image, policy);
  const signer = signerFor(image, policy);
  const { signed, whole } = await digestsOf(image, engines);
  await isSignedBy(signer, image, signed, engines);
  await isSignedTwice(signer, image, policy, engines);
  isNotRevoked(image, signed, policy);
  const securityVersion = isForThisChipAndRecent(image, policy);
  if (policy.provided !== null) hasItsInterfaces(image.fields, policy.provided);
  // Nothing inside is looked at before it is known whose it is.
  const files = filesOf(image, policy);
  const signerId = await engines.sha256(signer.spki);
  const file = (path: string): Uint8Array => fileIn(files, path);
  return { package: image, digest: whole, signerId, securityVersion, file };
}

/** Of what is signed, and of the whole package, which is measured: nearly all bytes are the same, and hashed once. */
async function digestsOf(
  { payload, signedMetadata, rest }: ImagePackage,
  engines: VerificationEngines,
): Promise<{ readonly signed: Uint8Array; readonly whole: Uint8Array }> {
  const [signed, whole] = await engines.sha256Tails(payload, [signedMetadata, rest]);
  if (signed === undefined || whole === undefined) throw new TypeError('two digests for two tails');
  return { signed, whole };
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

/** Images of the system hold the files that make them of use. */
function filesOf({ payload }: ImagePackage, { imageType }: ImagePolicy): Pick<FileSystem, 'read'> {
  const type = SYSTEM_IMAGE_TYPES.find((name) => IMAGE_TYPES[name] === imageType);
  if (type === undefined) return { read: () => null };
  const files = parseSignedFileSystem(payload);
  for (const path of NEEDED_FILES[type]) fileIn(files, path);
  return files;
}

/** A file of an image package. Throws `ImageRefused` where it is missing. */
export function fileOf({ payload }: Pick<ImagePackage, 'payload'>, path: string): Uint8Array {
  return fileIn(parseFileSystem(payload), path);
}

/** As `fileOf`, of an image whose signature has been verified, or will be before anything of it is believed. */
export function fileOfSigned({ payload }: Pick<ImagePackage, 'payload'>, path: string): Uint8Array {
  return fileIn(parseSignedFileSystem(payload), path);
}

/** A file of a parsed payload. Throws `ImageRefused` where it is missing. */
export function fileIn(files: Pick<FileSystem, 'read'>, path: string): Uint8Array {
  const content = files.read(path);
  if (content === null)
    throw new ImageRefused('MissingContent', `The image holds no ${path}.`, { field: path });
  return content;
}

async function isSignedBy(
  { spki }: KeystoreKey,
  { fields, signature }: ImagePackage,
  digest: Uint8Array,
  engines: VerificationEngines,
): Promise<void> {
  if (!(await engines.verifyDigest(spki, digest, signature))) {
    throw new ImageRefused('BadSignature', `The signature of image ${fields.imageId} is not its signer's.`);
  }
}

/** Where the fuse asks for it, images of the system are signed by the second key of the same signer as well. */
async function isSignedTwice(
  { secondSpki }: KeystoreKey,
  image: ImagePackage,
  { imageType, needsSecondSignature }: ImagePolicy,
  engines: VerificationEngines,
): Promise<void> {
  if (!needsSecondSignature || componentIdOf(imageType) === undefined) return;
  const { imageId, secondSignature } = image.fields;
  if (secondSignature === undefined || secondSpki === undefined) {
    const whose = secondSignature === undefined ? `Image ${imageId}` : `The signer of image ${imageId}`;
    throw new ImageRefused('MissingSecondSignature', `${whose} has no ML-DSA-65 part.`, {
      rule: 'two signatures, as the fuses say',
    });
  }
  if (!(await engines.verifySecond(secondSpki, signedBytesOf(image), secondSignature))) {
    throw new ImageRefused(
      'BadSecondSignature',
      `The second signature of image ${imageId} is not its signer's.`,
    );
  }
}

/** `signed` is not of the whole package: whoever has one can make another valid signature of it, and so another digest. */
function isNotRevoked(
  { fields }: ImagePackage,
  signed: Uint8Array,
  { revokedImageDigests }: ImagePolicy,
): void {
  if (revokedImageDigests.some((revoked) => equalBytes(revoked, signed))) {
    throw new ImageRefused('RevokedImage', `Image ${fields.imageId} is revoked by the trusted keystore.`);
  }
}

/** Throws `AbiNotProvided` unless each interface that an image depends on is there, in that version or a later one. */
export function hasItsInterfaces(
  { imageId, abiDepends = [] }: Pick<ImagePackage['fields'], 'imageId' | 'abiDepends'>,
  provided: readonly AbiVersion[],
): void {
  for (const { kind, version } of abiDepends) {
    if (provided.some((offer) => offer.kind === kind && offer.version >= version)) continue;
    throw new ImageRefused(
      'AbiNotProvided',
      `Image ${imageId} needs version ${version} of the interface ${kind}.`,
      { field: 'abiDepends', rule: 'offered by a layer below, in this version or a later one' },
    );
  }
}

function isForThisChipAndRecent(
  { fields }: ImagePackage,
  { imageType, chipSku, leastSecurityVersion }: ImagePolicy,
): number {
  const { securityVersion } = fields;
  const isApp = componentIdOf(imageType) === undefined;
  // An app may leave it out: then it runs on any chip, and goes back to any version that has none either.
  if (securityVersion === undefined && isApp && leastSecurityVersion === 0) return 0;
  if (securityVersion === undefined) {
    throw new ImageRefused('MissingSecurityVersion', `Image ${fields.imageId} states no security version.`);
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
