import { createPublicKey, verify, type KeyObject } from 'node:crypto';

import { equalBytes } from '@sevenfold/formats';

import { PkiError } from './errors.ts';
import { CURVES, curveOfSpki, type KeyCurve } from './keys.ts';

/** The signature algorithms of this project, by their COSE names. */
export type SignatureAlgorithm = 'ES256' | 'ES384' | 'EdDSA';

/** How each algorithm is verified: the kind of key that it needs alone, its hash, and the length of a signature. */
const ALGORITHMS = {
  ES256: { kind: 'P-256', hash: 'sha256', length: 64 },
  ES384: { kind: 'P-384', hash: 'sha384', length: 96 },
  EdDSA: { kind: 'ed25519', hash: null, length: 64 },
} as const satisfies Record<SignatureAlgorithm, object>;

/** Largest SPKI that is looked at: RSA-8192 fits. */
const MAX_SPKI_LENGTH = 2048;

/** A public key in the one DER form of its kind, its point on its curve. */
export class PublicKey {
  /** DER. */
  readonly spki: Uint8Array;
  /** A curve of this project, or OpenSSL's name for another kind of key. */
  readonly #kind: string;
  /** Imported when it is first needed: that costs a fifth of a verification. */
  #key: KeyObject | null;

  private constructor(spki: Uint8Array, kind: string, key: KeyObject | null) {
    this.spki = spki;
    this.#kind = kind;
    this.#key = key;
  }

  /** The curve of an ECDSA key of this project; null for every other kind of key. */
  get curve(): KeyCurve | null {
    return this.#kind in CURVES ? (this.#kind as KeyCurve) : null;
  }

  /** Reads an SPKI; null for what is none. */
  static read(untrusted: Uint8Array): PublicKey | null {
    if (untrusted.length > MAX_SPKI_LENGTH) return null;
    const spki = untrusted.slice();
    const curve = curveOfSpki(spki);
    try {
      const key = importSpki(spki);
      // These forms leave nothing open but the point: what OpenSSL would write is what was read.
      if (curve !== null) return new PublicKey(spki, curve, key);
      // OpenSSL reads BER and ignores trailing bytes; only what it would write itself has one meaning.
      const written = new Uint8Array(key.export({ type: 'spki', format: 'der' }));
      return equalBytes(written, spki) ? new PublicKey(spki, key.asymmetricKeyType ?? '', key) : null;
    } catch {
      // Not a key at all, or one that OpenSSL reads and cannot write: the callers say so in their own words.
      return null;
    }
  }

  /** As `read`, for ECDSA keys on one of `curves`. Refuses others with `BadKey`. */
  static require(untrusted: Uint8Array, field: string, curves: readonly KeyCurve[]): PublicKey {
    const curve = curveOfSpki(untrusted);
    const key = curve !== null && curves.includes(curve) ? PublicKey.read(untrusted) : null;
    if (key !== null) return key;
    throw new PkiError(
      'BadKey',
      `not an ECDSA ${curves.join(' or ')} public key in its uncompressed SPKI form`,
      {
        field,
        rule: 'RFC 5480 §2: id-ecPublicKey, the named curve, a point on the curve',
      },
    );
  }

  /**
   * The ECDSA key `untrusted` where it made this signature, else null: for keys that come once, with what they signed.
   * Importing and verifying are one call then, which spares both of them.
   */
  static ofSigner(
    untrusted: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    algorithm: SignatureAlgorithm = 'ES256',
  ): PublicKey | null {
    const curve = curveOfSpki(untrusted);
    const { kind, hash, length } = ALGORITHMS[algorithm];
    if (hash === null || curve === null || kind !== curve || signature.length !== length) return null;
    const spki = untrusted.slice();
    try {
      const isSigner = verify(
        hash,
        message,
        // Written out: an object that is spread has a shape that engines forget, and compile for again and again.
        { key: spki, format: 'der', type: 'spki', dsaEncoding: 'ieee-p1363' },
        signature,
      );
      return isSigner ? new PublicKey(spki, curve, null) : null;
    } catch {
      // A point that is not on its curve: nothing was signed with it.
      return null;
    }
  }

  /**
   * Whether `signature` (r‖s for ECDSA, RFC 8032 for EdDSA) over `message` was made by this key.
   * A key that does not fit the algorithm makes it false: there is nothing to trust.
   */
  verifies(message: Uint8Array, signature: Uint8Array, algorithm: SignatureAlgorithm = 'ES256'): boolean {
    const { kind, hash, length } = ALGORITHMS[algorithm];
    if (this.#kind !== kind || signature.length !== length) return false;
    this.#key ??= importSpki(this.spki);
    if (hash === null) return verify(null, message, this.#key, signature);
    return verify(hash, message, { key: this.#key, dsaEncoding: 'ieee-p1363' }, signature);
  }
}

/** Throws what OpenSSL throws for what is no key. */
function importSpki(spki: Uint8Array): KeyObject {
  return createPublicKey({
    key: Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength),
    format: 'der',
    type: 'spki',
  });
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
  return PublicKey.require(untrusted, field, curves).spki;
}

/** The last keys that `verifySignature` was asked with: authorities, who come again and again. */
const keptKeys = new Map<string, PublicKey | null>();
/** Tenants of a large service, each with its last CAs; 2.5 KB each. */
const MOST_KEPT_KEYS = 2000;

/** As `PublicKey.verifies`, for keys that are asked for often; what is no key makes it false. */
export function verifySignature(
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  algorithm: SignatureAlgorithm = 'ES256',
): boolean {
  return keptKey(spki)?.verifies(message, signature, algorithm) ?? false;
}

/**
 * As `verifySignature`, for keys that come once a day, as those of chips do: keeping them imported would cost a large
 * fleet more than it spares a small one.
 */
export function verifyOnce(
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  algorithm: SignatureAlgorithm,
): boolean {
  if (algorithm === 'EdDSA') return PublicKey.read(spki)?.verifies(message, signature, algorithm) ?? false;
  return PublicKey.ofSigner(spki, message, signature, algorithm) !== null;
}

function keptKey(spki: Uint8Array): PublicKey | null {
  if (spki.length > MAX_SPKI_LENGTH) return null;
  const name = Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength).toString('latin1');
  const known = keptKeys.get(name);
  if (known !== undefined) return known;
  const key = PublicKey.read(spki);
  if (keptKeys.size >= MOST_KEPT_KEYS) {
    for (const oldest of keptKeys.keys()) {
      keptKeys.delete(oldest);
      break;
    }
  }
  keptKeys.set(name, key);
  return key;
}
