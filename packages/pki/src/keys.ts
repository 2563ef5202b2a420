import { createPrivateKey, generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto';

import { der, guidFromRandom, plainBytes } from '@sevenfold/formats';

import { PkiError } from './errors.ts';

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
  return { curve, length: whole.length, prefix: whole.slice(0, whole.length - point.length + 1) };
});
/** SHA-256 of `message`. */
export function sha256(message: Uint8Array): Uint8Array {
  // As text: a `Buffer` of it has memory of its own outside the heap, which costs more than the hash.
  return Uint8Array.fromHex(hash('sha256', message, 'hex'));
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
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  const curve = curveOfKey(key);
  if (curve === null)
    throw new PkiError('BadKey', 'this key signs nothing here', { rule: CURVE_NAMES.join(', ') });
  return signWithKey(key, curve, message);
}

/** As `signWithPkcs8`, with a key that is already imported. */
export function signWithKey(key: KeyObject, curve: KeyCurve, message: Uint8Array): Uint8Array {
  return plainBytes(sign(CURVES[curve].hash, message, { key, dsaEncoding: 'ieee-p1363' }));
}

/** The curve of an imported key; null for every other kind of key. */
export function curveOfKey(key: KeyObject): KeyCurve | null {
  const name = key.asymmetricKeyDetails?.namedCurve;
  return CURVE_NAMES.find((curve) => CURVES[curve].namedCurve === name) ?? null;
}

/** The curve that an SPKI says it is on, by its form alone; null for every other kind of key. */
export function curveOfSpki(spki: Uint8Array): KeyCurve | null {
  return formOfSpki(spki)?.curve ?? null;
}

/** The point of an SPKI that `curveOfSpki` knows, as its BIT STRING holds it; null for every other kind of key. */
export function pointOfSpki(spki: Uint8Array): Uint8Array | null {
  const form = formOfSpki(spki);
  // Its first octet ends the prefix.
  return form === null ? null : spki.subarray(form.prefix.length - 1);
}

function formOfSpki(spki: Uint8Array): (typeof SPKI_FORMS)[number] | null {
  for (const form of SPKI_FORMS)
    if (spki.length === form.length && startsWith(spki, form.prefix)) return form;
  return null;
}

/** A loop of its own: the hot path asks several times an attestation, and closures cost it some µs. */
function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  for (let index = 0; index < prefix.length; index += 1) if (bytes[index] !== prefix[index]) return false;
  return true;
}
