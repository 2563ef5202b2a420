import type { PortValue } from '@sevenfold/formats';
import { integerArgument } from './network-arguments.ts';
import { NetworkError } from './network-errors.ts';

const MAX_ID = 2 ** 31;

/** Slots for what is open or being opened, by a number that is never used twice. */
export class NetworkTable<T> {
  readonly #entries = new Map<number, T>();
  readonly #most: number;
  readonly #what: string;
  #opening = 0;
  #next = 1;

  constructor(what: string, most: number) {
    this.#what = what;
    this.#most = most;
  }

  async add(open: () => Promise<T>): Promise<number> {
    if (this.#entries.size + this.#opening >= this.#most) {
      throw new NetworkError(
        'TooManySessions',
        `At most ${this.#most} ${this.#what}s may be open at a time.`,
      );
    }
    this.#opening += 1;
    try {
      const entry = await open();
      const id = this.#next;
      this.#next += 1;
      this.#entries.set(id, entry);
      return id;
    } finally {
      this.#opening -= 1;
    }
  }

  get(untrustedId: PortValue | undefined): T {
    const entry = this.#entries.get(integerArgument(untrustedId, this.#what, MAX_ID));
    if (entry === undefined) throw new NetworkError('NoSuchSession', `There is no such ${this.#what}.`);
    return entry;
  }

  take(untrustedId: PortValue | undefined): T {
    const entry = this.get(untrustedId);
    if (typeof untrustedId === 'number') this.#entries.delete(untrustedId);
    return entry;
  }

  takeAll(): T[] {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    return entries;
  }
}
