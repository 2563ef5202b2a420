import {
  decodeKeystore,
  fileOf,
  IMAGE_TYPES,
  imageUse,
  parseImagePackage,
  SYSTEM_IMAGE_FILES,
  toHex,
  type TrustedKeystore,
} from '@sevenfold/formats';

/** What an image of the system has to do with keys. */
export interface ImageKeys {
  readonly imageType: number;
  /** SHA-1 (hex) of the SPKI of the key that signed it. */
  readonly signer: string;
  /** What it trusts, if it is a keystore; null for any other image. */
  readonly keystore: TrustedKeystore | null;
}

/** Reads that from an image's package, which is a platform's: null where it holds no keystore that we can read. */
export function imageKeysOf(imagePackage: Uint8Array): ImageKeys | null {
  try {
    const image = parseImagePackage(imagePackage);
    const { imageType, signerThumbprint } = image.fields;
    const keystore =
      imageType === IMAGE_TYPES.TrustedKeystore
        ? decodeKeystore(fileOf(image, SYSTEM_IMAGE_FILES.keystore))
        : null;
    return { imageType, signer: toHex(signerThumbprint), keystore };
  } catch {
    // Whatever it is, no device takes it for a keystore either.
    return null;
  }
}

/** Says whether a keystore has the keys that signed these images, each for its type. */
export function trustsAll(keystore: TrustedKeystore, images: readonly ImageKeys[]): boolean {
  return images.every(({ imageType, signer }) => {
    const use = imageUse(imageType);
    return keystore.keys.some((key) => toHex(key.thumbprint) === signer && key.uses.includes(use));
  });
}
