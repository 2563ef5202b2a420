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
export function settableClock(under: Clock): DeviceClock {
  const listeners = new Set<(offset: number) => void>();
  let ahead = 0;
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
