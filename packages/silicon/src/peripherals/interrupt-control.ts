import type { Peripheral } from '../bus.ts';
import type { Timeline } from '../timeline.ts';

/** External interrupt inputs: pin n of the chip is EINT n, on line 20 + n. */
export const EINT_COUNT = 24;
const EINT_LINE = 20;
const LINES = 100;

/** A configuration word of one input (real-time-cores.md §1.5). */
const CONFIG = {
  countMask: 0xf,
  prescalerShift: 4,
  prescalerMask: 7,
  dual: 1 << 7,
  rising: 1 << 8,
  enable: 1 << 9,
};
const CONFIG_BITS = 0x3ff;
/** Steps of the debounce counter in a second, before the prescaler halves them. */
const DEBOUNCE_HZ = 32_768;

/** Blocks of registers, four words each: writing a bit of `pulse` interrupts; the others hold what is written. */
const BLOCKS = { sense: 0x200, softPend: 0x304, test: 0x700 } as const;
const HELD: readonly (readonly [first: number, words: number])[] = [
  [BLOCKS.sense, 4],
  [0x340, 1],
  [0x384, 4],
  [0x600, 4],
  [0x620, 4],
];
const SOFT_RESET = 0x900;

interface Input {
  config: number;
  /** The level that has lasted. */
  level: 0 | 1;
  /** Ends the wait for a level to last. */
  cancel: (() => void) | null;
}

/**
 * The interrupt block of a core: external inputs with debouncing, and software interrupts. An input pulses its line
 * at the edges that it is set to; what is bouncing interrupts once it has lasted.
 */
export class InterruptControl implements Peripheral {
  readonly #pulse: (line: number) => void;
  readonly #timeline: () => Timeline;
  readonly #inputs: readonly Input[] = Array.from({ length: EINT_COUNT }, () => ({
    config: 0,
    level: 0,
    cancel: null,
  }));
  readonly #held = new Map<number, number>();

  /** `pulse` lets a line go up and down. */
  constructor(pulse: (line: number) => void, timeline: () => Timeline) {
    this.#pulse = pulse;
    this.#timeline = timeline;
  }

  read(offset: number): number {
    const input = this.#inputs[offset / 4];
    return input?.config ?? this.#held.get(offset) ?? 0;
  }

  write(offset: number, value: number): void {
    const input = this.#inputs[offset / 4];
    if (input !== undefined) {
      input.config = value & CONFIG_BITS;
      if ((input.config & CONFIG.enable) === 0) {
        input.cancel?.();
        input.cancel = null;
      }
      return;
    }
    for (const first of [BLOCKS.softPend, BLOCKS.test]) this.#pulseBits(offset - first, value);
    if (HELD.some(([first, words]) => offset >= first && offset < first + 4 * words))
      this.#held.set(offset, value);
    if (offset === SOFT_RESET && (value & 1) !== 0) this.reset();
  }

  /** Inputs off; the levels of the pins go on. */
  reset(): void {
    for (const input of this.#inputs) {
      input.cancel?.();
      input.cancel = null;
      input.config = 0;
    }
    this.#held.clear();
  }

  /** A pin that is an input here has another level. */
  pinChanged(pin: number, level: 0 | 1): void {
    const input = this.#inputs[pin];
    if (input === undefined) return;
    input.cancel?.();
    input.cancel = null;
    const count = input.config & CONFIG.countMask;
    if ((input.config & CONFIG.enable) === 0 || count === 0) {
      this.#settle(pin, input, level);
      return;
    }
    const hertz = DEBOUNCE_HZ / 2 ** ((input.config >>> CONFIG.prescalerShift) & CONFIG.prescalerMask);
    input.cancel = this.#timeline().after(count / hertz, () => {
      input.cancel = null;
      this.#settle(pin, input, level);
    });
  }

  #settle(pin: number, input: Input, level: 0 | 1): void {
    if (input.level === level) return;
    input.level = level;
    const { config } = input;
    const isWanted = (config & CONFIG.dual) !== 0 || ((config & CONFIG.rising) !== 0) === (level === 1);
    if ((config & CONFIG.enable) !== 0 && isWanted) this.#pulse(EINT_LINE + pin);
  }

  /** Bits of a block of software interrupts; `at` is the offset in it. */
  #pulseBits(at: number, value: number): void {
    if (at < 0 || at >= 16) return;
    for (let bit = 0; bit < 32; bit++) {
      const line = 8 * at + bit;
      if (((value >>> bit) & 1) !== 0 && line < LINES) this.#pulse(line);
    }
  }
}
