import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '@sevenfold/formats';

/** The machine's own time. */
export const hostClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds) => sleep(milliseconds),
};
