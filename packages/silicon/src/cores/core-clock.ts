import type { Core, CoreTimer } from './core.ts';

/** Ticks of a core's time in a second: cycles of its fastest clock. */
export const TICKS_PER_SECOND = 197_600_000;
const CRYSTAL_HZ = 26_000_000;
const SLOW_HZ = 32_768;

/**
 * How instructions become time: one cycle each of the clock that the core has chosen. Peripherals and timers count
 * ticks of 1 / 197.6 MHz, whichever that is.
 */
export class CoreClock {
  readonly #core: Core;
  #ticksPerCycle = TICKS_PER_SECOND / CRYSTAL_HZ;
  #fromCycle = 0;
  #fromTick = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  readonly now = (): number => this.tickOf(this.#core.now);

  /** The first cycle of the core in which a tick has come. */
  cycleOf(tick: number): number {
    return Math.ceil(this.#fromCycle + (tick - this.#fromTick) / this.#ticksPerCycle);
  }

  /** The tick of a cycle of the core. */
  tickOf(cycle: number): number {
    return this.#fromTick + (cycle - this.#fromCycle) * this.#ticksPerCycle;
  }

  /** 0: the crystal's 26 MHz, as after reset; 1: 32,768 Hz; 2: 197.6 MHz. */
  select(source: number): void {
    const hertz = source === 2 ? TICKS_PER_SECOND : source === 1 ? SLOW_HZ : CRYSTAL_HZ;
    const ticksPerCycle = TICKS_PER_SECOND / hertz;
    if (ticksPerCycle === this.#ticksPerCycle) return;
    this.#fromTick = this.now();
    this.#fromCycle = this.#core.now;
    this.#ticksPerCycle = ticksPerCycle;
  }

  /** Lets the core's time move something that counts ticks. */
  drive(timer: CoreTimer): void {
    this.#core.addTimer({
      advance: () => timer.advance(this.now()),
      nextEvent: () => this.cycleOf(timer.nextEvent()),
    });
  }
}
