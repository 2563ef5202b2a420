import type { Clock } from '@sevenfold/formats';
import type { ChipCore } from './chip-core.ts';
import { TICKS_PER_SECOND } from './core-clock.ts';

const TICKS_PER_MS = TICKS_PER_SECOND / 1000;
/** Shortest sleep between two looks at the cores, and the longest time that busy cores catch up at once, in ms. */
const PAUSE = 1;
const MOST_AT_ONCE = 10;

/**
 * Lets the cores' time follow a clock: they run in this thread when it is due, and while all of them sleep nothing
 * happens at all. Busy cores on a host that is too slow for them fall behind: their time goes on slower.
 */
export class CoreDriver {
  readonly #cores: readonly ChipCore[];
  readonly #clock: Clock;
  readonly #run: (ticks: number) => void;
  #last: number;
  #isRunning = false;
  /** When a sleeper comes round next, ms of the clock. */
  #wakeAt = Infinity;

  constructor(cores: readonly ChipCore[], clock: Clock, run: (ticks: number) => void) {
    this.#cores = cores;
    this.#clock = clock;
    this.#run = run;
    this.#last = clock.monotonic();
  }

  /** Before something changes for a core from outside: it happens now, not when the cores were last looked at. */
  catchUp(): void {
    if (this.#isRunning) return;
    const now = this.#clock.monotonic();
    const elapsed = now - this.#last;
    this.#last = now;
    const isBusy = this.#idle() <= 0;
    this.#isRunning = true;
    try {
      this.#run((isBusy ? Math.min(elapsed, MOST_AT_ONCE) : elapsed) * TICKS_PER_MS);
    } finally {
      this.#isRunning = false;
    }
  }

  /** After something has changed: sees to it that the cores run when they are next due. */
  plan(): void {
    if (this.#isRunning) return;
    const idle = this.#idle();
    if (idle === Infinity) return;
    const wait = Math.max(PAUSE, idle);
    const at = this.#clock.monotonic() + wait;
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    void this.#clock.sleep(wait).then(() => {
      if (this.#wakeAt === at) this.#wakeAt = Infinity;
      this.catchUp();
      this.plan();
    });
  }

  /** Ms that pass before any core does something by itself. */
  #idle(): number {
    const ticks = this.#cores.map(({ realTime }) =>
      realTime === null ? Infinity : realTime.nextEvent() - realTime.time,
    );
    return Math.min(...ticks) / TICKS_PER_MS;
  }
}
