import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Clock } from '@sevenfold/formats';
import type { DeviceClock } from './stage-loader.ts';

/** The host's time. Sleepers do not keep the process alive. */
export function hostClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    async sleep(milliseconds) {
      // One timer of Node holds less than 25 days.
      for (let left = milliseconds; left > 0; left -= 0x7fffffff) {
        await sleepFor(Math.min(left, 0x7fffffff), undefined, { ref: false });
      }
    },
  };
}

/** A clock whose wall time can be set. */
export function settableClock(under: Clock, offset = 0): DeviceClock {
  const listeners = new Set<(offset: number) => void>();
  let ahead = offset;
  return {
    now: () => under.now() + ahead,
    monotonic: () => under.monotonic(),
    sleep: (milliseconds) => under.sleep(milliseconds),
    set(milliseconds) {
      ahead = milliseconds - under.now();
      for (const listener of listeners) listener(ahead);
    },
    get offset() {
      return ahead;
    },
    onSet(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

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
