import { equalBytes } from '../bytes.ts';
import { parseImagePackage } from '../image-package.ts';
import { decodeKeystore, imageUse, rootKeyBytes, type TrustedKeystore } from '../keystore.ts';
import { IMAGE_TYPES, SYSTEM_IMAGE_FILES } from './image-types.ts';
import {
  ImageRefused,
  fileOfSigned,
  verifyImage,
  type VerificationEngines,
  type VerifiedImage,
} from './verify-image.ts';

/** What a chip demands of a keystore, from its fuses alone. */
export interface KeystorePolicy {
  /** SHA-256 of `rootKeyBytes`. */
  readonly rootKeyHash: Uint8Array;
  readonly chipSku: number;
  /** The fused counter: an older keystore is refused, for it would let revoked keys and images count again. */
  readonly leastSecurityVersion: number;
  readonly needsSecondSignature: boolean;
}

/** The engines for that, and thumbprints. */
export interface KeystoreEngines extends VerificationEngines {
  sha1(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * May this keystore be trusted? Asked by the mask ROM at boot, and by Pluton of one that is to be staged. Throws
 * `FormatError` and `ImageRefused`.
 */
export async function verifyKeystore(
  untrusted: Uint8Array,
  policy: KeystorePolicy,
  engines: KeystoreEngines,
): Promise<VerifiedImage & { readonly keystore: TrustedKeystore }> {
  // 1. Who claims to be the root? Nothing is believed yet but that these bytes parse.
  const keystore = decodeKeystore(fileOfSigned(parseImagePackage(untrusted), SYSTEM_IMAGE_FILES.keystore));
  const { rootSpki, secondRootSpki, keys, version } = keystore;
  // 2. Only the fused root counts.
  if (!equalBytes(await engines.sha256(rootKeyBytes(keystore)), policy.rootKeyHash)) {
    throw new ImageRefused('WrongRoot', 'The keystore is under another root key than the fused one.');
  }
  // 3. Type, component, both signatures by that root, chip SKU, security version.
  const root = {
    spki: rootSpki,
    thumbprint: await engines.sha1(rootSpki),
    uses: [imageUse(IMAGE_TYPES.TrustedKeystore)],
    ...(secondRootSpki && { secondSpki: secondRootSpki }),
  };
  const image = await verifyImage(
    untrusted,
    {
      ...policy,
      imageType: IMAGE_TYPES.TrustedKeystore,
      keys: [root],
      revokedImageDigests: [],
      provided: [],
    },
    engines,
  );
  // 4. The fused counter follows the keystore's own version, so that none that was replaced comes back.
  if (version !== image.securityVersion) {
    throw new ImageRefused('InvalidKeystore', `Keystore ${version} says ${image.securityVersion} outside.`, {
      rule: 'its version is its security version',
    });
  }
  // 5. Each key is the one that its thumbprint names.
  for (const { spki, thumbprint } of keys) {
    if (equalBytes(await engines.sha1(spki), thumbprint)) continue;
    throw new ImageRefused(
      'InvalidKeystore',
      'A key of the keystore is not the one that its thumbprint names.',
    );
  }
  return { ...image, keystore };
}
