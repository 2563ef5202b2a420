import { GPIO_BLOCKS, GPIO_REGISTERS, gpioPlace, type GpioBlock } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';

/** Told of every change of a pin's level. */
export type PinListener = (pin: number, level: 0 | 1) => void;

/** What is set by three registers: the value, ones to set, ones to clear. */
const TRIPLES = {
  out: GPIO_REGISTERS.DOUT,
  enabled: GPIO_REGISTERS.OE,
  up: GPIO_REGISTERS.PU,
  down: GPIO_REGISTERS.PD,
};
type Triple = keyof typeof TRIPLES;
/** Settings of pads, as sets of three: they hold what is written and change nothing here. */
const HELD_TRIPLES: readonly number[] = [
  GPIO_REGISTERS.SR,
  GPIO_REGISTERS.IES,
  GPIO_REGISTERS.EA,
  GPIO_REGISTERS.RSEL,
];
/** Single words that do the same. 0 is the control word of a serial unit: its clocks and its reset. */
const HELD: readonly number[] = [0, GPIO_REGISTERS.PADDRV, GPIO_REGISTERS.RDSEL, GPIO_REGISTERS.TDSEL];

/**
 * One block of pins. A pin that is no output has the level that drives it from outside, or else that of its pull
 * resistor, or else 0. Writing DIN does nothing and reading a set or clear register gives 0, as programs that
 * read, change and write back have it.
 */
export class GpioUnit implements Peripheral {
  readonly block: GpioBlock;
  readonly #announce: PinListener;
  readonly #state: Record<Triple, number> = { out: 0, enabled: 0, up: 0, down: 0 };
  readonly #held = new Map<number, number>();
  /** Pins that are driven from outside, and how. */
  #driven = 0;
  #outside = 0;

  constructor(block: GpioBlock, announce: PinListener) {
    this.block = block;
    this.#announce = announce;
  }

  read(offset: number): number {
    if (offset === this.block.din) return this.levels;
    for (const [name, first] of Object.entries(TRIPLES)) {
      if (offset === first) return this.#state[name as Triple];
    }
    return this.#held.get(offset) ?? 0;
  }

  write(offset: number, value: number): void {
    for (const [name, first] of Object.entries(TRIPLES)) {
      const old = this.#state[name as Triple];
      const next = { 0: value, 4: old | value, 8: old & ~value }[offset - first];
      if (next !== undefined) this.#change(() => (this.#state[name as Triple] = next >>> 0));
    }
    this.#hold(offset, value);
  }

  #hold(offset: number, value: number): void {
    if (offset === this.block.din) return;
    if (HELD.includes(offset)) this.#held.set(offset, value);
    const first = offset - (offset % 16);
    if (!HELD_TRIPLES.includes(first)) return;
    const old = this.#held.get(first) ?? 0;
    const next = { 0: value, 4: old | value, 8: old & ~value }[offset - first];
    if (next !== undefined) this.#held.set(first, next >>> 0);
  }

  /** Outputs off; what drives the pins from outside goes on. */
  reset(): void {
    this.#held.clear();
    this.#change(() => Object.assign(this.#state, { out: 0, enabled: 0, up: 0, down: 0 }));
  }

  /** Bits of the pins that are outputs. */
  get enabled(): number {
    return this.#state.enabled;
  }

  get levels(): number {
    const { out, enabled, up, down } = this.#state;
    const input = (this.#outside & this.#driven) | (up & ~down & ~this.#driven);
    return (((out & enabled) | (input & ~enabled)) >>> 0) & (2 ** this.block.pins.length - 1);
  }

  /** A level from outside; null lets go of the pins. */
  drive(bit: number, level: 0 | 1 | null): void {
    this.#change(() => {
      this.#driven = level === null ? this.#driven & ~bit : this.#driven | bit;
      this.#outside = level === 1 ? this.#outside | bit : this.#outside & ~bit;
    });
  }

  #change(change: () => void): void {
    const before = this.levels;
    change();
    const after = this.levels;
    this.block.pins.forEach((pin, index) => {
      const bit = 2 ** index;
      if (((before ^ after) & bit) !== 0) this.#announce(pin, (after & bit) === 0 ? 0 : 1);
    });
  }
}

/** All pins of the chip, by number: what a person with a meter and a wire has. */
export class Pins {
  readonly units: readonly GpioUnit[];
  readonly #listeners = new Set<PinListener>();

  constructor() {
    const announce: PinListener = (pin, level) => {
      for (const listener of this.#listeners) listener(pin, level);
    };
    this.units = GPIO_BLOCKS.map((block) => new GpioUnit(block, announce));
  }

  reset(): void {
    for (const unit of this.units) unit.reset();
  }

  /** The level of a pin, as a meter on it would show; 0 where there is no such pin. */
  level(pin: number): 0 | 1 {
    const place = this.#place(pin);
    return place !== null && (place.unit.levels & place.bit) !== 0 ? 1 : 0;
  }

  /** Drives a pin from outside; null lets go of it. An output is not moved by that. */
  drive(pin: number, level: 0 | 1 | null): void {
    const place = this.#place(pin);
    place?.unit.drive(place.bit, level);
  }

  /** Attaches a part or an observer; returns the function that detaches it. */
  onChange(listener: PinListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #place(pin: number): { readonly unit: GpioUnit; readonly bit: number } | null {
    const place = gpioPlace(pin);
    const unit = this.units.find(({ block }) => block === place?.block);
    return place === null || unit === undefined ? null : { unit, bit: place.bit };
  }
}
