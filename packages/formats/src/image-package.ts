import { concatBytes, plainBytes, viewOf } from './bytes.ts';
import { FormatError } from './errors.ts';
import {
  encodeMetadata,
  type ImageFields,
  MIN_METADATA_LENGTH,
  parseMetadata,
  SECOND_SIGNATURE_LENGTH,
  THUMBPRINT_OFFSET,
  withoutSignatures,
} from './image-metadata.ts';

/** Length of the signature that ends every image package: r‖s of ECDSA P-256. */
export const IMAGE_SIGNATURE_LENGTH = 64;
/** No image package is longer than the whole flash of the reference SKU. */
export const MAX_IMAGE_PACKAGE_LENGTH = 16 * 1024 * 1024;
/** Longest metadata block in bytes: room for both signatures that may stand in sections. */
export const MAX_METADATA_LENGTH = 8192;

/** An image package, taken apart (azure-sphere.md §2.4). Its signature is not verified yet. */
export interface ImagePackage {
  /** For all types of ours an ASXipFS image, see `parseFileSystem`. */
  readonly payload: Uint8Array;
  readonly fields: ImageFields;
  /**
   * The metadata as every signature covers them: with the signatures that stand in sections zeroed. Together with the
   * payload that is all that is signed, and its SHA-256 names the image whatever is done to its signatures, as whoever
   * revokes it must.
   */
  readonly signedMetadata: Uint8Array;
  /** What follows the payload, as it is: metadata and signature. */
  readonly rest: Uint8Array;
  /** r‖s, ECDSA P-256 with SHA-256 over payload and `signedMetadata`. */
  readonly signature: Uint8Array;
}

/** All that the signatures of a package are over, in one piece. */
export function signedBytesOf({
  payload,
  signedMetadata,
}: Pick<ImagePackage, 'payload' | 'signedMetadata'>): Uint8Array<ArrayBuffer> {
  return concatBytes(payload, signedMetadata);
}

/** Everything of a package before its signature: `[payload][metadata]`. Signatures in sections must still be zeros. */
export function encodeUnsignedImagePackage(
  payload: Uint8Array,
  fields: ImageFields,
): Uint8Array<ArrayBuffer> {
  if (payload.length === 0) {
    throw new FormatError('ImageTooShort', 'An image package needs a payload.', { field: 'payload' });
  }
  const unsigned = concatBytes(payload, encodeMetadata(fields));
  checkLength(unsigned.length + IMAGE_SIGNATURE_LENGTH);
  return unsigned;
}

/**
 * Appends the signature (r‖s, 64 bytes) to what `encodeUnsignedImagePackage` made, and puts the second one (ML-DSA-65)
 * into the section that was kept free for it. Both are made over `unsigned` as it is given here.
 */
export function finishImagePackage(
  unsigned: Uint8Array,
  signature: Uint8Array,
  secondSignature?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (signature.length !== IMAGE_SIGNATURE_LENGTH) {
    throw new FormatError('WrongSignatureLength', 'The signature of an image package has 64 bytes.', {
      field: 'signature',
      rule: '64 bytes',
    });
  }
  const whole = concatBytes(unsigned, signature);
  if (secondSignature === undefined) return whole;
  const { payload, fields } = parseImagePackage(whole);
  if (fields.secondSignature === undefined || secondSignature.length !== SECOND_SIGNATURE_LENGTH) {
    throw new FormatError('WrongSignatureLength', 'There is no place for this second signature.', {
      field: 'secondSignature',
      rule: `${SECOND_SIGNATURE_LENGTH} bytes, for a package with that section`,
    });
  }
  return concatBytes(payload, encodeMetadata({ ...fields, secondSignature }), signature);
}

function checkLength(length: number): void {
  if (length > MAX_IMAGE_PACKAGE_LENGTH) {
    throw new FormatError('ImageTooLarge', `The image package has ${length} bytes.`, {
      rule: `at most ${MAX_IMAGE_PACKAGE_LENGTH} bytes`,
    });
  }
}

/**
 * Takes an image package apart, from its end. Byte arrays of the result are views into a copy-free
 * window on the input. Strict: what is accepted encodes again to the same bytes.
 */
export function parseImagePackage(untrusted: Uint8Array): ImagePackage {
  checkLength(untrusted.length);
  if (untrusted.length < 1 + MIN_METADATA_LENGTH + IMAGE_SIGNATURE_LENGTH) {
    throw new FormatError('ImageTooShort', `An image package cannot have only ${untrusted.length} bytes.`, {
      rule: `at least ${1 + MIN_METADATA_LENGTH + IMAGE_SIGNATURE_LENGTH} bytes`,
    });
  }
  const bytes = plainBytes(untrusted);
  const unsigned = bytes.subarray(0, bytes.length - IMAGE_SIGNATURE_LENGTH);
  const metadataLength = viewOf(unsigned).getUint32(unsigned.length - 4, true);
  if (
    metadataLength < MIN_METADATA_LENGTH ||
    metadataLength > MAX_METADATA_LENGTH ||
    metadataLength >= unsigned.length
  ) {
    throw new FormatError('InvalidMetadata', `The metadata length ${metadataLength} cannot be.`, {
      field: 'metadataLength',
      rule: `${MIN_METADATA_LENGTH} to ${MAX_METADATA_LENGTH}, and less than the package`,
    });
  }
  const metadataStart = unsigned.length - metadataLength;
  const metadata = unsigned.subarray(metadataStart);
  const fields = parseMetadata(metadata);
  const isPlain = fields.secondSignature === undefined && fields.makerSignature === undefined;
  return {
    payload: unsigned.subarray(0, metadataStart),
    fields,
    signedMetadata: isPlain ? metadata : withoutSignatures(metadata),
    rest: bytes.subarray(metadataStart),
    signature: bytes.subarray(unsigned.length),
  };
}

/**
 * The unsigned bytes of the same image for another signer, as the service needs them to sign an upload again:
 * only the thumbprint changes, the image id stays.
 */
export function replaceSigner(image: ImagePackage, thumbprint: Uint8Array): Uint8Array<ArrayBuffer> {
  if (thumbprint.length !== 20) {
    throw new FormatError('InvalidThumbprint', 'The signer thumbprint must have 20 bytes.', {
      rule: '20 bytes',
    });
  }
  const unsigned = signedBytesOf(image);
  unsigned.set(thumbprint, image.payload.length + THUMBPRINT_OFFSET);
  return unsigned;
}
