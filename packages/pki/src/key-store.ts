/**
 * Where private keys live: files now, a PKCS#11 token later. Keys are made inside and used inside;
 * the seam has no call that gives one out. Every implementation runs `key-store.suite.ts`.
 */
export interface KeyStore {
  /** Makes an ECDSA P-256 key and returns its SPKI (DER). It is durable when this resolves. Refuses a taken name with `KeyExists`. */
  make(name: string): Promise<Uint8Array>;
  /** The SPKI (DER) of that key, or null where there is none. */
  public(name: string): Promise<Uint8Array | null>;
  /** Signs with ECDSA P-256 over SHA-256 of `message`; 64 bytes r‖s. Refuses an unknown name with `KeyNotFound`. */
  sign(name: string, message: Uint8Array): Promise<Uint8Array>;
}

/** The key's SPKI; made now where there is none yet. Safe to repeat after a crash at any point. */
export async function ensureKey(keys: KeyStore, name: string): Promise<Uint8Array> {
  return (await keys.public(name)) ?? (await keys.make(name));
}
