import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { concatBytes, utf8Encode, type Entropy } from '@sevenfold/formats';

/** Order of the P-256 group (SEC 2 §2.4.2). */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** A P-256 key pair inside the chip. The private half has no way out but `exportPrivateKey`. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

/** SHA-256 engine. */
export function sha256(message: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(message).digest());
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

/** r‖s over SHA-256 of `message`. */
export function signP256(key: KeyPair, message: Uint8Array): Uint8Array {
  return Uint8Array.from(sign('sha256', message, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }));
}

/**
 * The P-256 key pair that belongs to a 32-byte seed: the first of SHA-256(label ‖ seed ‖ 0), …1, … that is a
 * scalar from 1 to n-1.
 */
export function keyFromSeed(seed: Uint8Array, label: string): KeyPair {
  for (let counter = 0; ; counter++) {
    const scalar = sha256(concatBytes(utf8Encode(label), seed, Uint8Array.of(counter)));
    const value = BigInt(`0x${Buffer.from(scalar).toString('hex')}`);
    if (value > 0n && value < P256_ORDER) return keyFromScalar(scalar);
  }
}

function keyFromScalar(scalar: Uint8Array): KeyPair {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  const point = ecdh.getPublicKey();
  const part = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: part(scalar),
    x: part(point.subarray(1, 33)),
    y: part(point.subarray(33)),
  };
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, spki: Uint8Array.from(spki) };
}

/** PKCS#8, DER: for session keys, which are made to be handed to the network stack. */
export function exportPrivateKey(key: KeyPair): Uint8Array {
  return Uint8Array.from(key.privateKey.export({ format: 'der', type: 'pkcs8' }));
}

/** The operating system's random bytes: the noise source of a real virtual chip. */
export function systemEntropy(): Entropy {
  return { random: (length) => Uint8Array.from(randomBytes(length)) };
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
