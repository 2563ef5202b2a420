import type { Peripheral } from '../bus.ts';
import type { Timeline } from '../timeline.ts';

/** Registers of a core's watchdog (real-time-cores.md §1.9). */
const REGISTERS = { MODE: 0x30, LENGTH: 0x34, RESTART: 0x38, STATUS: 0x3c, SWRST: 0x44 } as const;
const ENABLE = 1;
const INTERRUPT = 8;
/** What a write must carry to count. */
const KEY = {
  mode: 0x2200,
  modeMask: 0xff00,
  length: 8,
  lengthMask: 0x1f,
  restart: 0x1971,
  software: 0x1209,
} as const;
const LONGEST = 0x7ff;
const TICKS_PER_SECOND = 32;
/** STATUS: why the core was reset last. */
const STATUS = { watchdog: 1 << 15, software: 1 << 14 } as const;

/** Why a core left reset: power or its system, its watchdog, or because its program asked for it there. */
export type CoreResetCause = 'start' | keyof typeof STATUS;

/** What a watchdog does to its core. */
export interface CoreWatchdogWiring {
  readonly timeline: () => Timeline;
  readonly bite: (cause: keyof typeof STATUS) => void;
  readonly interrupt: (isHigh: boolean) => void;
}

/**
 * A core's own watchdog: what is not restarted in time is reset, or interrupted first where it asked for that. Then it
 * has as long again.
 */
export class CoreWatchdog implements Peripheral {
  readonly #wiring: CoreWatchdogWiring;
  readonly #cause: CoreResetCause;
  #mode = 0;
  #length: number = LONGEST;
  #hasInterrupted = false;
  #cancel: () => void = () => {};

  constructor(wiring: CoreWatchdogWiring, cause: CoreResetCause) {
    this.#wiring = wiring;
    this.#cause = cause;
  }

  read(offset: number): number {
    switch (offset) {
      case REGISTERS.MODE:
        return this.#mode;
      case REGISTERS.LENGTH:
        return this.#length << 5;
      case REGISTERS.STATUS: {
        const bitten = this.#hasInterrupted ? STATUS.watchdog : 0;
        return bitten | (this.#cause === 'start' ? 0 : STATUS[this.#cause]);
      }
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    switch (offset) {
      case REGISTERS.MODE:
        if ((value & KEY.modeMask) !== KEY.mode) return;
        this.#mode = value & (ENABLE | INTERRUPT);
        this.#restart();
        return;
      case REGISTERS.LENGTH:
        if ((value & KEY.lengthMask) === KEY.length) this.#length = (value >>> 5) & LONGEST;
        return;
      case REGISTERS.RESTART:
        if ((value & 0xffff) === KEY.restart) this.#restart();
        return;
      case REGISTERS.SWRST:
        if ((value & 0xffff) === KEY.software) this.#wiring.bite('software');
        return;
      default:
        return;
    }
  }

  reset(): void {
    this.#mode = 0;
    this.#length = LONGEST;
    this.#restart();
  }

  #restart(): void {
    this.#cancel();
    this.#hasInterrupted = false;
    this.#wiring.interrupt(false);
    if ((this.#mode & ENABLE) !== 0) this.#count();
  }

  #count(): void {
    const seconds = Math.max(1, this.#length) / TICKS_PER_SECOND;
    this.#cancel = this.#wiring.timeline().after(seconds, () => {
      if ((this.#mode & INTERRUPT) === 0 || this.#hasInterrupted) {
        this.#wiring.bite('watchdog');
        return;
      }
      this.#hasInterrupted = true;
      this.#wiring.interrupt(true);
      this.#count();
    });
  }
}
