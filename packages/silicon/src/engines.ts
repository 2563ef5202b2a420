import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { concatBytes, fromHex, utf8Encode, type Entropy } from '@sevenfold/formats';
import { SiliconError } from './errors.ts';
import { taken } from './taken.ts';

/** Order of the P-256 group, big-endian (SEC 2 §2.4.2). */
const P256_ORDER = fromHex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
/** RFC 5915 ECPrivateKey of P-256: what stands before the scalar, and between it and the point. */
const EC_PRIVATE_KEY = [fromHex('30770201010420'), fromHex('a00a06082a8648ce3d030107a144034200')] as const;

/** A P-256 key pair inside the chip. The private half has no way out but `exportPrivateKey`. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

/** SHA-256 engine. */
export function sha256(message: Uint8Array): Uint8Array {
  return taken(createHash('sha256').update(message).digest());
}

/** SHA-256 of `head` followed by each of `tails`, with one pass over `head`. */
export function sha256Tails(head: Uint8Array, tails: readonly Uint8Array[]): Uint8Array[] {
  const common = createHash('sha256').update(head);
  return tails.map((tail) => Uint8Array.from(common.copy().update(tail).digest()));
}

/** SHA-1 engine: for thumbprints, which are names and no security. */
export function sha1(message: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha1').update(message).digest());
}

/** ECDSA P-256 with SHA-256; `signature` is r‖s. False for whatever is not a P-256 key or not its signature. */
export function verifyP256(spki: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
    return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    // OpenSSL throws for keys it cannot read: to whoever asks, that is the same as "not signed".
    return false;
  }
}

/** ML-DSA-65 (FIPS 204), empty context. False for whatever is not such a key or not its signature. */
export function verifyMlDsa65(spki: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ml-dsa-65' && verify(null, message, key, signature);
  } catch {
    return false;
  }
}

/** r‖s over SHA-256 of `message`. */
export function signP256(key: KeyPair, message: Uint8Array): Uint8Array {
  return Uint8Array.from(sign('sha256', message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }));
}

/**
 * ECDH on P-256 (SP 800-56A §5.7.1.2): the 32 bytes of the shared point's x. Throws `BadArgument` for whatever is no
 * point of that curve.
 */
export function agreeP256(key: Pick<KeyPair, 'privateKey'>, peerSpki: Uint8Array): Uint8Array {
  try {
    const publicKey = createPublicKey({ key: Buffer.from(peerSpki), format: 'der', type: 'spki' });
    if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new TypeError('another curve');
    return taken(diffieHellman({ privateKey: key.privateKey, publicKey }));
  } catch {
    throw new SiliconError('BadArgument', 'The peer’s key is no point of P-256.', { field: 'peer' });
  }
}

/**
 * The P-256 key pair that belongs to a 32-byte seed: the first of SHA-256(label ‖ seed ‖ 0), …1, … that is a
 * scalar from 1 to n-1. The seed stays the caller's to wipe.
 */
export function keyFromSeed(seed: Uint8Array, label: string): KeyPair {
  for (let counter = 0; ; counter++) {
    const input = concatBytes(utf8Encode(label), seed, Uint8Array.of(counter));
    const scalar = sha256(input);
    input.fill(0);
    const key = isScalar(scalar) ? keyFromScalar(scalar) : null;
    scalar.fill(0);
    if (key !== null) return key;
  }
}

/** From 1 to n-1, compared as bytes: a number or a text of it could not be wiped. */
function isScalar(scalar: Uint8Array): boolean {
  return scalar.some((byte) => byte !== 0) && Buffer.compare(scalar, P256_ORDER) < 0;
}

function keyFromScalar(scalar: Uint8Array): KeyPair {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  const der = Buffer.concat([EC_PRIVATE_KEY[0], scalar, EC_PRIVATE_KEY[1], ecdh.getPublicKey()]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'sec1' });
  der.fill(0);
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, spki: Uint8Array.from(spki) };
}

/** PKCS#8, DER: for session keys, which are made to be handed to the network stack. */
export function exportPrivateKey(key: KeyPair): Uint8Array {
  const der = key.privateKey.export({ format: 'der', type: 'pkcs8' });
  return taken(der);
}

/** The operating system's random bytes: the noise source of a real virtual chip. */
export function systemEntropy(): Entropy {
  return { random: (length) => taken(randomBytes(length)) };
}

/** Noise from a seed: deterministic identities for tests. Says so in its name: never for a product. */
export function insecureSeededEntropy(seed: string): Entropy {
  let counter = 0;
  let rest: Uint8Array = new Uint8Array(0);
  return {
    random(length) {
      while (rest.length < length) {
        rest = concatBytes(rest, sha256(utf8Encode(`${seed}/${counter}`)));
        counter += 1;
      }
      const taken = rest.slice(0, length);
      rest = rest.slice(length);
      return taken;
    },
  };
}
