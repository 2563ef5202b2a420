import type { Store } from '../store/store.ts';

/** Unless told: some hundred releases with all their images. */
const MOST_VALUES = 4096;

/**
 * What follows from the published releases alone and every attestation asks for: read again only after a release was
 * written. Null is what nobody has published yet, and is not kept.
 */
export class KeptReferences<T> {
  readonly #byStore = new WeakMap<Store, Map<string, T>>();
  readonly #most: number;

  /** Keeps at most so many values a store. */
  constructor(most = MOST_VALUES) {
    this.#most = most;
  }

  /** The value of that name over what is committed; `read` is called where none is kept that `isGood` still. */
  async get(
    store: Store,
    name: string,
    read: () => Promise<T | null>,
    isGood: (known: T) => boolean = () => true,
  ): Promise<T | null> {
    const values = this.#byStore.get(store) ?? new Map<string, T>();
    this.#byStore.set(store, values);
    const known = values.get(name);
    if (known !== undefined && isGood(known)) return known;
    const value = await read();
    if (value === null) return null;
    if (values.size >= this.#most) values.clear();
    // Where `forget` was called meanwhile, nobody sees this map any more.
    values.set(name, value);
    return value;
  }

  /** To be called when a write of a release has ended. */
  forget(store: Store): void {
    this.#byStore.delete(store);
  }
}
