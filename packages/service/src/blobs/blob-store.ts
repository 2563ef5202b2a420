/**
 * Where large bytes lie: named by their SHA-256, never changed, written before the row that names them. A blob that no
 * row names is only waste.
 */
export interface BlobStore {
  /** Keeps the bytes and answers their digest (64 hex digits); durable when it resolves. The same bytes twice are one blob. */
  put(bytes: Uint8Array): Promise<string>;
  /** The bytes, checked against their name. `NotFound`, `BlobDamaged`. */
  read(digest: string): Promise<Uint8Array>;
  has(digest: string): Promise<boolean>;
  /** Lets go of a blob that no row names, nor will: the caller sees to that. One that is not there is no error. */
  remove(digest: string): Promise<void>;
}
