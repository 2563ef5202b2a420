import type { Clock } from '@sevenfold/formats';

/** Time that passes only when it is told to. */
export interface VirtualClock extends Clock {
  /**
   * Lets time pass. Sleepers wake in order, each at its own time, and whatever they set going within this thread
   * has come to rest before the next one wakes.
   */
  advance(milliseconds: number): Promise<void>;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A clock for tests and simulations, with `inline` wiring. Starts at `start` (ms since 1970). */
export function virtualClock(start = Date.UTC(2026, 0, 1)): VirtualClock {
  let elapsed = 0;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    sleep: (milliseconds) =>
      new Promise((wake) => {
        const at = elapsed + Math.max(0, milliseconds);
        const after = sleepers.findIndex((sleeper) => sleeper.at > at);
        sleepers.splice(after < 0 ? sleepers.length : after, 0, { at, wake });
      }),
    async advance(milliseconds) {
      const until = elapsed + milliseconds;
      await settled();
      for (let next = sleepers[0]; next !== undefined && next.at <= until; next = sleepers[0]) {
        sleepers.shift();
        elapsed = Math.max(elapsed, next.at);
        next.wake();
        await settled();
      }
      elapsed = until;
    },
  };
}
