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
  high: 1 << 8,
  debounce: 1 << 9,
};
const CONFIG_BITS = 0x3ff;
/** Steps of the debounce counter in a second, before the prescaler halves them. */
const DEBOUNCE_HZ = 8192;

/** Blocks of four words: sense (1: level), and two of which every bit that is written interrupts. */
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
  cancel: () => void;
}

/** What the block does to its core's lines. */
export interface InterruptControlWiring {
  readonly setLine: (line: number, isHigh: boolean) => void;
  readonly timeline: () => Timeline;
}

/**
 * The interrupt block of a core: external inputs with debouncing, and software interrupts. An input pulses its line at
 * the edges that its polarity names, or holds it up where the line's sense is level; what bounces counts once it has
 * lasted.
 */
export class InterruptControl implements Peripheral {
  readonly #wiring: InterruptControlWiring;
  readonly #inputs: readonly Input[] = Array.from({ length: EINT_COUNT }, () => ({
    config: 0,
    level: 0,
    cancel() {},
  }));
  readonly #held = new Map<number, number>();

  constructor(wiring: InterruptControlWiring) {
    this.#wiring = wiring;
  }

  read(offset: number): number {
    const input = this.#inputs[offset / 4];
    return input?.config ?? this.#held.get(offset) ?? 0;
  }

  write(offset: number, value: number): void {
    const input = this.#inputs[offset / 4];
    if (input !== undefined) {
      input.config = value & CONFIG_BITS;
      this.#show(offset / 4);
      return;
    }
    for (const first of [BLOCKS.softPend, BLOCKS.test]) this.#pulseBits(offset - first, value);
    if (HELD.some(([first, words]) => offset >= first && offset < first + 4 * words))
      this.#held.set(offset, value);
    if (offset >= BLOCKS.sense && offset < BLOCKS.sense + 16)
      for (let pin = 0; pin < EINT_COUNT; pin++) this.#show(pin);
    if (offset === SOFT_RESET && (value & 1) !== 0) this.reset();
  }

  /** Settings as after reset; the levels of the pins go on. */
  reset(): void {
    for (const input of this.#inputs) {
      input.cancel();
      input.config = 0;
    }
    this.#held.clear();
    for (let pin = 0; pin < EINT_COUNT; pin++) this.#wiring.setLine(EINT_LINE + pin, false);
  }

  /** A pin that is an input here has another level. */
  pinChanged(pin: number, level: 0 | 1): void {
    const input = this.#inputs[pin];
    if (input === undefined) return;
    input.cancel();
    const { config } = input;
    const count = (config & CONFIG.debounce) === 0 ? 0 : config & CONFIG.countMask;
    if (count === 0) {
      this.#settle(pin, input, level);
      return;
    }
    const hertz = DEBOUNCE_HZ / 2 ** ((config >>> CONFIG.prescalerShift) & CONFIG.prescalerMask);
    input.cancel = this.#wiring.timeline().after(count / hertz, () => this.#settle(pin, input, level));
  }

  #settle(pin: number, input: Input, level: 0 | 1): void {
    if (input.level === level) return;
    input.level = level;
    if (this.#isLevelSensitive(pin)) this.#show(pin);
    else if ((input.config & CONFIG.dual) !== 0 || isActive(input)) this.#pulse(EINT_LINE + pin);
  }

  #isLevelSensitive(pin: number): boolean {
    const line = EINT_LINE + pin;
    return (((this.#held.get(BLOCKS.sense + 4 * (line >> 5)) ?? 0) >>> (line & 31)) & 1) !== 0;
  }

  /** The line of an input that is sensitive to its level. */
  #show(pin: number): void {
    const input = this.#inputs[pin];
    if (input !== undefined)
      this.#wiring.setLine(EINT_LINE + pin, this.#isLevelSensitive(pin) && isActive(input));
  }

  #pulse(line: number): void {
    this.#wiring.setLine(line, true);
    this.#wiring.setLine(line, false);
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

/** Whether an input has the level that interrupts. */
const isActive = ({ config, level }: Input): boolean => level === ((config & CONFIG.high) === 0 ? 0 : 1);
