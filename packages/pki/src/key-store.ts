import { PkiError } from './errors.ts';
import type { KeyCurve } from './keys.ts';

/**
 * Where private keys live: files, or a PKCS#11 token. Keys are made inside and used inside;
 * the seam has no call that gives one out. Every implementation runs `key-store.suite.ts`.
 */
export interface KeyStore {
  /**
   * Makes an ECDSA key, on P-256 unless asked otherwise, and returns its SPKI (DER). It is durable when this resolves.
   * Refuses a taken name with `KeyExists`.
   */
  make(name: string, curve?: KeyCurve): Promise<Uint8Array>;
  /** The SPKI (DER) of that key, or null where there is none. */
  public(name: string): Promise<Uint8Array | null>;
  /** Signs with ECDSA over SHA-256 of `message` (SHA-384 on P-384); r‖s, 64 or 96 bytes. Refuses an unknown name with `KeyNotFound`. */
  sign(name: string, message: Uint8Array): Promise<Uint8Array>;
}

/** The key's SPKI; made now where there is none yet. Safe to repeat after a crash at any point, and for many at once. */
export async function ensureKey(keys: KeyStore, name: string, curve?: KeyCurve): Promise<Uint8Array> {
  const known = await keys.public(name);
  if (known !== null) return known;
  try {
    return await keys.make(name, curve);
  } catch (error) {
    // Somebody else was faster: it is their key then.
    const made = error instanceof PkiError && error.code === 'KeyExists' ? await keys.public(name) : null;
    if (made === null) throw error;
    return made;
  }
}

const KEY_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?$/u;

/** Checks a name before it becomes a file's or a token object's. Refuses with `BadKeyName`. */
export function checkKeyName(name: string): string {
  if (KEY_NAME.test(name)) return name;
  throw new PkiError('BadKeyName', `"${name.slice(0, 100)}" cannot name a key`, {
    field: 'name',
    rule: 'lower-case letters, digits, dots and hyphens, at most 100',
  });
}

/** There is a key of that name already. */
export function keyExists(name: string): PkiError {
  return new PkiError('KeyExists', `there is a key "${name}" already`, { field: name });
}

/** There is no key of that name. */
export function keyNotFound(name: string): PkiError {
  return new PkiError('KeyNotFound', `there is no key "${name}"`, { field: name });
}
