import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { SiliconError } from './errors.ts';
import { taken } from './taken.ts';

/** The SHA-2 engine's algorithms (FIPS 180-4). */
export const DIGESTS = ['SHA-256', 'SHA-384', 'SHA-512'] as const;
export type DigestName = (typeof DIGESTS)[number];

/** Bytes of an AES-GCM nonce: the one length for which NIST SP 800-38D §8.2 needs no extra hashing. */
export const GCM_NONCE = 12;
/** Bytes of an AES-GCM tag; shorter ones are not taken. */
export const GCM_TAG = 16;
/** RFC 3394 §2.2.3.1. */
const KEY_WRAP_IV = new Uint8Array(8).fill(0xa6);

/** SHA-2 engine. */
export function digest(name: DigestName, message: Uint8Array): Uint8Array {
  return taken(createHash(name).update(message).digest());
}

/** HMAC-SHA-256 engine (RFC 2104). */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return taken(createHmac('sha256', key).update(message).digest());
}

/** HKDF-SHA-256 engine (RFC 5869): `length` at most 8,160 bytes. Throws `BadArgument`. */
export function hkdfSha256(key: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (length > 255 * 32) throw new SiliconError('BadArgument', 'HKDF yields no more than 8,160 bytes.');
  return new Uint8Array(hkdfSync('sha256', key, salt, info, length));
}

/** What AES-256-GCM works with beside the text: 32-byte key, 12-byte nonce, associated data. */
export interface GcmParameters {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly associated: Uint8Array;
}

/** AES-256-GCM: ciphertext, then the 16-byte tag. */
export function gcmSeal({ key, nonce, associated }: GcmParameters, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: GCM_TAG });
  cipher.setAAD(associated);
  const first = cipher.update(plaintext);
  const last = cipher.final();
  return Uint8Array.from(Buffer.concat([first, last, cipher.getAuthTag()]));
}

/** The plaintext of ciphertext and tag. Throws `NotAuthentic`, and nothing of it has left the engine then. */
export function gcmOpen({ key, nonce, associated }: GcmParameters, sealed: Uint8Array): Uint8Array {
  if (sealed.length < GCM_TAG) throw notAuthentic('AES-256-GCM');
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: GCM_TAG });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(sealed.length - GCM_TAG));
  const text = decipher.update(sealed.subarray(0, sealed.length - GCM_TAG));
  try {
    decipher.final();
  } catch {
    text.fill(0);
    throw notAuthentic('AES-256-GCM');
  }
  return taken(text);
}

/** AES-256 key wrap (RFC 3394): whole 8-byte blocks, two or more. Throws `BadArgument`. */
export function keyWrap(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
  if (plaintext.length < 16 || plaintext.length % 8 !== 0) {
    throw new SiliconError('BadArgument', `${plaintext.length} bytes cannot be wrapped.`, {
      rule: 'RFC 3394: two or more blocks of 8 bytes',
    });
  }
  const cipher = createCipheriv('id-aes256-wrap', key, KEY_WRAP_IV);
  return Uint8Array.from(Buffer.concat([cipher.update(plaintext), cipher.final()]));
}

/** Undoes `keyWrap`. Throws `NotAuthentic`. */
export function keyUnwrap(key: Uint8Array, wrapped: Uint8Array): Uint8Array {
  if (wrapped.length < 24 || wrapped.length % 8 !== 0) throw notAuthentic('AES-256 key wrap');
  try {
    const decipher = createDecipheriv('id-aes256-wrap', key, KEY_WRAP_IV);
    // One block for this mode: there is nothing left for the end.
    const plaintext = taken(decipher.update(wrapped));
    decipher.final();
    return plaintext;
  } catch {
    throw notAuthentic('AES-256 key wrap');
  }
}

function notAuthentic(engine: string): SiliconError {
  return new SiliconError(
    'NotAuthentic',
    `${engine}: these bytes were not made with this key, or were changed.`,
  );
}
