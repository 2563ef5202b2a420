import type { Clock } from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';

/** Lines of one app that reach the device's log within a second. */
const LINES_A_SECOND = 50;
const SECOND = 1000;

interface Window {
  readonly since: number;
  lines: number;
  dropped: number;
}

/** Writes apps' lines to the device's log, so many a second: a flood drowns nobody else's lines. */
export class ApplicationLog {
  readonly #clock: Clock;
  readonly #log: (line: string) => void;
  readonly #windows = new WeakMap<Compartment, Window>();

  constructor(clock: Clock, log: (line: string) => void) {
    this.#clock = clock;
    this.#log = log;
  }

  say(compartment: Compartment, line: string): void {
    compartment.note(line);
    const { name } = compartment.application;
    const now = this.#clock.monotonic();
    let window = this.#windows.get(compartment);
    if (window === undefined || now - window.since >= SECOND) {
      if (window !== undefined && window.dropped > 0)
        this.#log(`app ${name}: ${window.dropped} lines dropped`);
      window = { since: now, lines: 0, dropped: 0 };
      this.#windows.set(compartment, window);
    }
    window.lines += 1;
    if (window.lines <= LINES_A_SECOND) this.#log(`app ${name}: ${line}`);
    else window.dropped += 1;
  }
}
