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

/** What comes next for a device whose keystore is not that of its release. */
export type KeystoreStep =
  /** Everything: the device itself commits the keystore first, and boots with it before it takes the rest. */
  | { readonly kind: 'release' }
  /** A keystore that is not the release's, and nothing else: a prerequisite. */
  | { readonly kind: 'prerequisite'; readonly digest: string }
  /** Everything but the keystore, which does not know yet what the device runs now. */
  | { readonly kind: 'images' }
  /** No published keystore leads from what the device runs to the release: only recovery does. */
  | { readonly kind: 'none' };

/** A keystore with the digest of its image. */
export interface PublishedKeystore {
  readonly digest: string;
  readonly keystore: TrustedKeystore;
}

/**
 * A keystore without the key that signed what runs would lock the device out of it, so the device refuses it
 * (`KeystoreLocksOut`). A device that missed a rotation of the platform key therefore gets the keystore of the time in
 * between first, which knows both keys; then the images of the release; and its keystore last. Pure.
 */
export function keystoreStep(
  device: { readonly keystore: PublishedKeystore; readonly running: readonly ImageKeys[] },
  release: { readonly keystore: TrustedKeystore; readonly images: readonly ImageKeys[] },
  published: readonly PublishedKeystore[],
): KeystoreStep {
  if (trustsAll(release.keystore, device.running)) return { kind: 'release' };
  const bridges = [device.keystore, ...published]
    .filter(
      ({ keystore }) =>
        keystore.version >= device.keystore.keystore.version &&
        keystore.version <= release.keystore.version &&
        trustsAll(keystore, device.running) &&
        trustsAll(keystore, release.images),
    )
    .toSorted((a, b) => b.keystore.version - a.keystore.version);
  const bridge = bridges[0];
  if (bridge === undefined) return { kind: 'none' };
  return bridge.digest === device.keystore.digest
    ? { kind: 'images' }
    : { kind: 'prerequisite', digest: bridge.digest };
}

function trustsAll(keystore: TrustedKeystore, images: readonly ImageKeys[]): boolean {
  return images.every(({ imageType, signer }) => {
    const use = imageUse(imageType);
    return keystore.keys.some((key) => toHex(key.thumbprint) === signer && key.uses.includes(use));
  });
}
