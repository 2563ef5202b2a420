import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { SiliconError } from './errors.ts';
import { taken } from './taken.ts';

/** Bits of every key of the engine. */
const MODULUS = 2048;
/** Bytes of a signature, and of what is encrypted. */
export const RSA_BLOCK = MODULUS / 8;
/** Bytes that one encryption takes, at most: RFC 8017 §7.1.1, with SHA-256. */
export const RSA_MOST_PLAIN = RSA_BLOCK - 2 * 32 - 2;
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const;

/** An RSA-2048 key pair inside the chip. The private half has no way out. */
export interface RsaKeyPair {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

/** A new pair, public exponent 65,537. The engine makes its primes inside: no part of them is ever bytes of ours. */
export function makeRsa2048(): RsaKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: MODULUS });
  return { privateKey, spki: Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' })) };
}

/** RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2). */
export function signRsa2048({ privateKey }: RsaKeyPair, message: Uint8Array): Uint8Array {
  return Uint8Array.from(sign('sha256', message, privateKey));
}

/** RSASSA-PKCS1-v1_5 with SHA-256, keys of 2,048 bits alone. False for whatever is no such key, or not its signature. */
export function verifyRsa2048(spki: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify('sha256', message, publicKeyIn(spki), signature);
  } catch {
    // What cannot be read was not signed.
    return false;
  }
}

/** RSAES-OAEP with SHA-256, without a label (RFC 8017 §7.1). Throws `BadArgument`: no such key, or too long a message. */
export function encryptRsa2048(spki: Uint8Array, plaintext: Uint8Array): Uint8Array {
  try {
    return Uint8Array.from(publicEncrypt({ key: publicKeyIn(spki), ...OAEP }, plaintext));
  } catch {
    throw new SiliconError('BadArgument', 'This cannot be encrypted to that key.', {
      rule: `RSA-2048, at most ${RSA_MOST_PLAIN} bytes`,
    });
  }
}

/**
 * Undoes `encryptRsa2048`. Throws `NotAuthentic`, whatever is wrong with it: to tell one failure from another is to let
 * others decrypt (Manger 2001). The padding of PKCS #1 v1.5 is not offered, since it tells (Bleichenbacher 1998).
 */
export function decryptRsa2048({ privateKey }: RsaKeyPair, encrypted: Uint8Array): Uint8Array {
  try {
    return taken(privateDecrypt({ key: privateKey, ...OAEP }, encrypted));
  } catch {
    throw new SiliconError(
      'NotAuthentic',
      'RSA-OAEP: these bytes were not encrypted to this key, or were changed.',
    );
  }
}

function publicKeyIn(spki: Uint8Array): KeyObject {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  if (key.asymmetricKeyType !== 'rsa' || key.asymmetricKeyDetails?.modulusLength !== MODULUS)
    throw new TypeError('another key');
  return key;
}
