import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@sevenfold/formats';

/** Time that moves only when a driver moves it: hours pass in a test at once, always in the same order. */
export interface VirtualClock extends Clock {
  /** Lets `milliseconds` pass; wakes what sleeps until then, in order of time, each at its own time. */
  advance(milliseconds: number): Promise<void>;
  /** Moves to the next sleeper and wakes all that wait for that moment; false: nobody sleeps. */
  advanceToNext(): boolean;
  /** Keeps a driver from moving time, until the returned function is called (once or more often). */
  hold(): () => void;
  /** Whether anything holds time now. */
  readonly held: boolean;
  /** Resolves when nothing holds time any more. */
  released(): Promise<void>;
}

/** Where a virtual clock begins. */
export interface VirtualClockOptions {
  /** Milliseconds since 1970; default: 2027-01-01T00:00:00Z. */
  readonly start?: number;
}

interface Sleeper {
  readonly due: number;
  readonly order: number;
  readonly wake: () => void;
}

const DEFAULT_START = Date.UTC(2027, 0, 1);

/** Makes a virtual clock. */
export function createVirtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const start = options.start ?? DEFAULT_START;
  const sleepers: Sleeper[] = [];
  let elapsed = 0;
  let order = 0;
  let holds = 0;
  let onRelease: (() => void)[] = [];

  const next = (): Sleeper | undefined => sleepers[0];
  const wakeDue = (): void => {
    for (let first = next(); first !== undefined && first.due <= elapsed; first = next()) {
      sleepers.shift();
      first.wake();
    }
  };

  const clock: VirtualClock = {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    sleep: (milliseconds) =>
      new Promise((wake) => {
        const sleeper = { due: elapsed + Math.max(0, milliseconds), order: order++, wake };
        // Sorted by time, then by order of arrival: two runs wake in the same order.
        const place = sleepers.findLastIndex((other) => other.due <= sleeper.due) + 1;
        sleepers.splice(place, 0, sleeper);
      }),
    async advance(milliseconds) {
      const end = elapsed + milliseconds;
      // What is under way now may be about to sleep: it does so at this time, not at a later one.
      await settle(clock);
      for (let first = next(); first !== undefined && first.due <= end; first = next()) {
        elapsed = Math.max(elapsed, first.due);
        wakeDue();
        await settle(clock);
      }
      elapsed = end;
    },
    advanceToNext() {
      const first = next();
      if (first === undefined) return false;
      elapsed = Math.max(elapsed, first.due);
      wakeDue();
      return true;
    },
    hold() {
      let isHolding = true;
      holds += 1;
      return () => {
        if (!isHolding) return;
        isHolding = false;
        holds -= 1;
        if (holds > 0) return;
        const listeners = onRelease;
        onRelease = [];
        for (const listener of listeners) listener();
      };
    },
    get held() {
      return holds > 0;
    },
    released: () =>
      holds === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            onRelease.push(resolve);
          }),
  };
  return clock;
}

/** Turns of the event loop in which nothing may begin before time moves: each one looks at the sockets. */
const QUIET_TURNS = 16;

/** Waits until what is woken has done what it can without time passing: holds, sockets and promises. */
async function settle(clock: VirtualClock): Promise<void> {
  for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
    await turn();
    if (clock.held) {
      await clock.released();
      quiet = 0;
    }
  }
}

/**
 * Runs `work` on virtual time: whenever nothing is in flight, time jumps to the next sleeper. Gives what `work`
 * gives. Without sleepers it waits for the outside world, in real time.
 */
export async function runOnVirtualTime<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.then(
    () => {
      isDone = true;
    },
    () => {
      isDone = true;
    },
  );
  for (;;) {
    await Promise.race([settle(clock), done]);
    if (isDone) return work;
    clock.advanceToNext();
  }
}
