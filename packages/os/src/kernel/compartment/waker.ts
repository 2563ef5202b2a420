import type { Clock } from '@sevenfold/formats';

/**
 * Waits for a time or for something that happens. A clock's sleep cannot be taken back, so the pending ones are
 * remembered and used again: a wait adds a sleep only if nothing would wake it in time anyway.
 */
export class Waker {
  readonly #clock: Clock;
  /** Monotonic times for which a sleep is pending. */
  readonly #pending = new Set<number>();
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes whoever waits: something may have become ready. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** Resolves at the next `wake`, at a pending time, or at `time` (monotonic ms; null: never); callers look again. */
  until(time: number | null): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
    if (time !== null && ![...this.#pending].some((earlier) => earlier <= time)) {
      this.#pending.add(time);
      void this.#clock.sleep(Math.max(0, time - this.#clock.monotonic())).then(() => {
        this.#pending.delete(time);
        this.wake();
      });
    }
    return woken;
  }
}
