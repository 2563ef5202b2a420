import type { Clock } from '@sevenfold/formats';

/** Longest time the watchdog can be set to, in milliseconds. */
export const WATCHDOG_MOST = 3_600_000;

/** Bites unless it is set again in time. Runs on the board's clock, whatever the software does. */
export class Watchdog {
  #generation = 0;

  /** Off, as after reset. */
  reset(): void {
    this.#generation += 1;
  }

  /** Bites after `milliseconds` unless set or reset before; 0 turns it off. */
  set(milliseconds: number, clock: Clock, bite: () => void): void {
    this.#generation += 1;
    if (milliseconds === 0) return;
    const generation = this.#generation;
    void clock.sleep(milliseconds).then(() => {
      if (generation === this.#generation) bite();
    });
  }
}
