import { NetworkError } from './network-errors.ts';

/** What has come and waits until somebody takes it, in order: connections, devices, datagrams. One may wait for it. */
export class WaitingLine<T> {
  readonly #what: string;
  readonly #items: T[] = [];
  #isClosed = false;
  #wake: (() => void) | null = null;

  /** `what` is what one may do once at a time: 'accept', 'read'. */
  constructor(what: string) {
    this.#what = what;
  }

  get length(): number {
    return this.#items.length;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  add(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** The first; waits for it. `SessionBusy` while another one waits, `NetworkClosed` when nothing is to come any more. */
  async take(): Promise<T> {
    if (this.#wake !== null)
      throw new NetworkError('SessionBusy', `Another ${this.#what} of this socket is waiting.`);
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) return item;
        if (this.#isClosed) throw new NetworkError('NetworkClosed', 'The socket was closed.');
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#wake = null;
    }
  }

  /** Nothing more will come; gives what nobody has taken, which may still be. */
  close(): readonly T[] {
    this.#isClosed = true;
    this.#wake?.();
    return this.#items;
  }
}
