import { setImmediate } from 'node:timers';

/** So many go on together at most: between them, others get their turn. */
const MOST_TOGETHER = 32;

/**
 * Lets requests that arrive in one turn of the event loop go on together: they pass each step of what follows one
 * after the other, and find its code and its data in the processor's caches (docs/decisions/0040). Nobody waits for
 * anybody who is not there yet.
 */
export class Company {
  #waiting: (() => void)[] = [];

  /** How many wait for this turn's end. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Resolves when all that has arrived was read, for everybody who came meanwhile at once. */
  join(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(() => this.#goOn());
    });
  }

  #goOn(): void {
    const together = this.#waiting.splice(0, MOST_TOGETHER);
    if (this.#waiting.length > 0) setImmediate(() => this.#goOn());
    for (const resolve of together) resolve();
  }
}
