import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  createPrivateKey,
  type KeyObject,
} from 'node:crypto';

import { equalBytes, guidFromRandom, toHex } from '@sevenfold/formats';

import { PkiError } from './errors.ts';

/** The signature algorithms of this project, by their COSE names. */
export type SignatureAlgorithm = 'ES256' | 'ES384' | 'EdDSA';

/** A key pair in its usual DER forms. */
export interface KeyPair {
  readonly spki: Uint8Array;
  readonly pkcs8: Uint8Array;
}

/** SPKI of an ECDSA P-256 key up to the point's coordinates (RFC 5480): id-ecPublicKey, prime256v1, uncompressed. */
const P256_SPKI_PREFIX = Uint8Array.from([
  0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
  0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
]);
const P256_SPKI_LENGTH = P256_SPKI_PREFIX.length + 64;
/** Largest SPKI that is looked at: RSA-8192 fits. */
const MAX_SPKI_LENGTH = 2048;

/** SHA-256 of `message`. */
export function sha256(message: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(message).digest());
}

/** SHA-256 of an SPKI: the device id, for an attestation key. */
export function spkiSha256(spki: Uint8Array): Uint8Array {
  return sha256(spki);
}

/**
 * The id of the person or machine that a key (SPKI, DER) belongs to. Derived, so that a client that was killed between
 * asking and hearing the answer still knows who it is.
 */
export function principalIdOf(spki: Uint8Array): string {
  return guidFromRandom(spkiSha256(spki).subarray(0, 16));
}

/** SHA-1 of an SPKI, 20 bytes: names a key in image packages and key stores. A name only, never a proof. */
export function thumbprint(spki: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha1').update(spki).digest());
}

/** Makes an ECDSA P-256 key pair. */
export function generateKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return {
    spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
    pkcs8: new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' })),
  };
}

/** ECDSA P-256 over SHA-256 of `message` with a PKCS#8 key; 64 bytes r‖s. */
export function signWithPkcs8(pkcs8: Uint8Array, message: Uint8Array): Uint8Array {
  return signWithKey(createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }), message);
}

/** As `signWithPkcs8`, with a key that is already imported. */
export function signWithKey(key: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }));
}

/**
 * Checks that `untrusted` is the one DER form of an ECDSA P-256 public key whose point is on the curve.
 * Everything that is certified or endorsed is of this form: one key, one SPKI, one device id.
 */
export function checkP256Spki(untrusted: Uint8Array, field: string): Uint8Array {
  const wellFormed =
    untrusted.length === P256_SPKI_LENGTH &&
    equalBytes(untrusted.subarray(0, P256_SPKI_PREFIX.length), P256_SPKI_PREFIX);
  if (!wellFormed || importSpki(untrusted) === null) {
    throw new PkiError('BadKey', 'not an ECDSA P-256 public key in its uncompressed SPKI form', {
      field,
      rule: 'RFC 5480 §2: id-ecPublicKey, prime256v1, a point on the curve',
    });
  }
  return untrusted.slice();
}

/**
 * Whether `signature` (r‖s for ECDSA, RFC 8032 for EdDSA) over `message` was made by the key `spki`.
 * A key that does not fit the algorithm, or is none, makes it false: there is nothing to trust.
 */
export function verifySignature(
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  algorithm: SignatureAlgorithm = 'ES256',
): boolean {
  const key = importSpki(spki);
  if (key === null) return false;
  switch (algorithm) {
    case 'ES256':
      return (
        key.asymmetricKeyDetails?.namedCurve === 'prime256v1' &&
        signature.length === 64 &&
        verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)
      );
    case 'ES384':
      return (
        key.asymmetricKeyDetails?.namedCurve === 'secp384r1' &&
        signature.length === 96 &&
        verify('sha384', message, { key, dsaEncoding: 'ieee-p1363' }, signature)
      );
    case 'EdDSA':
      return (
        key.asymmetricKeyType === 'ed25519' &&
        signature.length === 64 &&
        verify(null, message, key, signature)
      );
    default:
      return algorithm satisfies never;
  }
}

/** Importing a key costs more than verifying with it, so the last ones are kept. */
const importedKeys = new Map<string, KeyObject | null>();
const MAX_IMPORTED_KEYS = 256;

function importSpki(spki: Uint8Array): KeyObject | null {
  if (spki.length > MAX_SPKI_LENGTH) return null;
  const name = toHex(spki);
  const known = importedKeys.get(name);
  if (known !== undefined) return known;
  const key = tryImport(spki);
  if (importedKeys.size >= MAX_IMPORTED_KEYS) {
    for (const oldest of importedKeys.keys()) {
      importedKeys.delete(oldest);
      break;
    }
  }
  importedKeys.set(name, key);
  return key;
}

function tryImport(spki: Uint8Array): KeyObject | null {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    // Not a key at all: the callers say so in their own words.
    return null;
  }
  // OpenSSL reads BER and ignores trailing bytes; only what it would write itself has one meaning.
  return equalBytes(new Uint8Array(key.export({ type: 'spki', format: 'der' })), spki) ? key : null;
}
