import type { TrustedKeystore } from '@sevenfold/formats';
import { trustsAll, type ImageKeys } from '../deployments/image-keys.ts';

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
