import type { Clock } from '@sevenfold/formats';

/** Where a peripheral puts what is to happen later: the board's clock, or the virtual time of the core that drives it. */
export interface Timeline {
  /** Whether a moment comes exactly: then bytes go one by one. A host's timer is too coarse for a byte. */
  readonly isExact: boolean;
  /** Seconds since some moment. */
  readonly now: () => number;
  /** Calls `action` once, when so many seconds have passed; gives the function that keeps it from happening. */
  readonly after: (seconds: number, action: () => void) => () => void;
}

/** A clock's time, in steps of its timers. */
export function clockTimeline(clock: Clock): Timeline {
  return {
    isExact: false,
    now: () => clock.monotonic() / 1000,
    after(seconds, action) {
      const state = { isOver: false };
      void clock.sleep(seconds * 1000).then(() => {
        if (!state.isOver) action();
      });
      return () => {
        state.isOver = true;
      };
    },
  };
}

interface Event {
  readonly time: number;
  readonly action: () => void;
}

/**
 * Virtual time: what is to happen, in order, and at the same moment in the order in which it was asked for. Whoever
 * owns the time says how late it is and lets things happen.
 */
export class EventQueue implements Timeline {
  readonly isExact = true;
  readonly now: () => number;
  readonly #events: Event[] = [];

  constructor(now: () => number) {
    this.now = now;
  }

  readonly after = (seconds: number, action: () => void): (() => void) => {
    const event = { time: this.now() + seconds, action };
    const later = this.#events.findIndex(({ time }) => time > event.time);
    this.#events.splice(later < 0 ? this.#events.length : later, 0, event);
    return () => {
      const index = this.#events.indexOf(event);
      if (index >= 0) this.#events.splice(index, 1);
    };
  };

  /** Second of the next event; `Infinity` where none waits. */
  nextEvent(): number {
    return this.#events[0]?.time ?? Infinity;
  }

  /** Lets everything happen whose time has come, what that asks for included. */
  advance(): void {
    for (
      let event = this.#events[0];
      event !== undefined && event.time <= this.now();
      event = this.#events[0]
    ) {
      this.#events.shift();
      event.action();
    }
  }

  /** Forgets everything that was to happen. */
  clear(): void {
    this.#events.length = 0;
  }
}
