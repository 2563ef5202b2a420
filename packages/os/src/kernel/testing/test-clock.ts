import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@sevenfold/formats';

/** Turns of the event loop after which nothing more happens without time passing. */
const QUIET_TURNS = 4;

/** Virtual time for the kernel's tests: it moves only when told, and wakes sleepers in order. */
export class TestClock implements Clock {
  readonly #start = Date.UTC(2027, 0, 1);
  #elapsed = 0;
  #sleepers: { readonly due: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#start + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((wake) => {
      this.#sleepers.push({ due: this.#elapsed + Math.max(0, milliseconds), wake });
    });
  }

  /** How many sleep now. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Lets time pass; whatever becomes due runs at its own time. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#elapsed + milliseconds;
    for (;;) {
      for (let quiet = 0; quiet < QUIET_TURNS; quiet += 1) await turn();
      const next = this.#sleepers.reduce((first, { due }) => Math.min(first, due), Infinity);
      if (next > end) break;
      this.#elapsed = Math.max(this.#elapsed, next);
      const due = this.#sleepers.filter((sleeper) => sleeper.due <= this.#elapsed);
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.due > this.#elapsed);
      for (const { wake } of due) wake();
    }
    this.#elapsed = end;
  }
}
