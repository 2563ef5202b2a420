import {
  createPublicKey,
  generateKeyPairSync,
  hash,
  sign,
  verify,
  createPrivateKey,
  type KeyObject,
} from 'node:crypto';

import { der, equalBytes, guidFromRandom, toHex } from '@sevenfold/formats';

import { PkiError } from './errors.ts';

/** The signature algorithms of this project, by their COSE names. */
export type SignatureAlgorithm = 'ES256' | 'ES384' | 'EdDSA';

/** A key pair in its usual DER forms. */
export interface KeyPair {
  readonly spki: Uint8Array;
  readonly pkcs8: Uint8Array;
}

/** The curves of this project's keys. P-384 is for roots and intermediates that ask for it. */
export type KeyCurve = 'P-256' | 'P-384';

/** What belongs to a curve: never another hash, so that a signature's algorithm follows from its key (RFC 5758 §3.2). */
export const CURVES = {
  'P-256': {
    oid: '1.2.840.10045.3.1.7',
    namedCurve: 'prime256v1',
    hash: 'sha256',
    fieldLength: 32,
    algorithm: 'ES256',
  },
  'P-384': {
    oid: '1.3.132.0.34',
    namedCurve: 'secp384r1',
    hash: 'sha384',
    fieldLength: 48,
    algorithm: 'ES384',
  },
} as const satisfies Record<KeyCurve, object>;

// The keys of a constant object are its keys.
const CURVE_NAMES = Object.keys(CURVES) as readonly KeyCurve[];
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
/** First octet of an uncompressed point (SEC 1 §2.3.3). */
const UNCOMPRESSED = 4;

/** The SPKI of an uncompressed point (RFC 5480 §2): id-ecPublicKey, the curve, 04 ‖ x ‖ y. */
export function spkiOfPoint(curve: KeyCurve, point: Uint8Array): Uint8Array {
  return der.sequence(der.sequence(der.oid(EC_PUBLIC_KEY), der.oid(CURVES[curve].oid)), der.bitString(point));
}

/** What stands before the coordinates, and the length of the whole. */
const SPKI_FORMS = CURVE_NAMES.map((curve) => {
  const point = new Uint8Array(1 + 2 * CURVES[curve].fieldLength);
  point[0] = UNCOMPRESSED;
  const whole = spkiOfPoint(curve, point);
  return { curve, length: whole.length, prefix: whole.subarray(0, whole.length - point.length + 1) };
});
/** Largest SPKI that is looked at: RSA-8192 fits. */
const MAX_SPKI_LENGTH = 2048;

/** SHA-256 of `message`. */
export function sha256(message: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', message, 'buffer'));
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
  return new Uint8Array(hash('sha1', spki, 'buffer'));
}

/** Makes an ECDSA key pair. */
export function generateKeyPair(curve: KeyCurve = 'P-256'): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: CURVES[curve].namedCurve });
  return {
    spki: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
    pkcs8: new Uint8Array(privateKey.export({ type: 'pkcs8', format: 'der' })),
  };
}

/** ECDSA over the hash of its curve of `message` with a PKCS#8 key; r‖s, 64 bytes on P-256. */
export function signWithPkcs8(pkcs8: Uint8Array, message: Uint8Array): Uint8Array {
  return signWithKey(createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }), message);
}

/** As `signWithPkcs8`, with a key that is already imported. */
export function signWithKey(key: KeyObject, message: Uint8Array): Uint8Array {
  const curve = curveOfKey(key);
  if (curve === null)
    throw new PkiError('BadKey', 'this key signs nothing here', { rule: CURVE_NAMES.join(', ') });
  return new Uint8Array(sign(CURVES[curve].hash, message, { key, dsaEncoding: 'ieee-p1363' }));
}

/** The curve of an imported key; null for every other kind of key. */
export function curveOfKey(key: KeyObject): KeyCurve | null {
  const name = key.asymmetricKeyDetails?.namedCurve;
  return CURVE_NAMES.find((curve) => CURVES[curve].namedCurve === name) ?? null;
}

/** The curve that an SPKI says it is on, by its form alone; null for every other kind of key. */
export function curveOfSpki(spki: Uint8Array): KeyCurve | null {
  const form = SPKI_FORMS.find(
    ({ length, prefix }) => spki.length === length && equalBytes(spki.subarray(0, prefix.length), prefix),
  );
  return form?.curve ?? null;
}

/**
 * Checks that `untrusted` is the one DER form of an ECDSA P-256 public key whose point is on the curve.
 * Everything that is certified or endorsed is of this form: one key, one SPKI, one device id.
 */
export function checkP256Spki(untrusted: Uint8Array, field: string): Uint8Array {
  return checkSpki(untrusted, field, ['P-256']);
}

/** As `checkP256Spki`, for keys on one of `curves`. */
export function checkSpki(untrusted: Uint8Array, field: string, curves: readonly KeyCurve[]): Uint8Array {
  const curve = curveOfSpki(untrusted);
  if (curve === null || !curves.includes(curve) || importSpki(untrusted) === null) {
    throw new PkiError(
      'BadKey',
      `not an ECDSA ${curves.join(' or ')} public key in its uncompressed SPKI form`,
      {
        field,
        rule: 'RFC 5480 §2: id-ecPublicKey, the named curve, a point on the curve',
      },
    );
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
  // These forms leave nothing open but the point: what OpenSSL would write is what was read.
  if (curveOfSpki(spki) !== null) return key;
  // OpenSSL reads BER and ignores trailing bytes; only what it would write itself has one meaning.
  return equalBytes(new Uint8Array(key.export({ type: 'spki', format: 'der' })), spki) ? key : null;
}
