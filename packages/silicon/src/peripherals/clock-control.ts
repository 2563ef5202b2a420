import type { Peripheral } from '../bus.ts';

const CLOCK_SELECT = 0x0c;
const SOURCE_SHIFT = 8;
const SOURCE_MASK = 7;

/**
 * Reset, low power and clock select of a core (real-time-cores.md §1.9, 0x2101_0000). Choosing a clock changes how long
 * instructions take; sleep modes and memory power are taken and change nothing, as a core asleep costs nothing here.
 */
export class ClockControl implements Peripheral {
  readonly #select: (source: number) => void;
  readonly #registers = new Map<number, number>();

  /** `select` is told of the source that CLOCK_SELECT b10:8 names. */
  constructor(select: (source: number) => void) {
    this.#select = select;
  }

  read(offset: number): number {
    return this.#registers.get(offset) ?? 0;
  }

  write(offset: number, value: number): void {
    this.#registers.set(offset, value);
    if (offset === CLOCK_SELECT) this.#select((value >>> SOURCE_SHIFT) & SOURCE_MASK);
  }

  reset(): void {
    this.#registers.clear();
    this.#select(0);
  }
}
