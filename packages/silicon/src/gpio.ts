/** Pins of the reference SKU, in banks of 32. */
export const GPIO_PINS = 96;
/** Registers of one bank; bank n begins at n × 0x20. All are 32 bits wide, bit i is pin 32·n + i. */
export const GPIO_REGISTERS = {
  /** Levels of the pins (read only): driven by the chip where an output, else from outside. */
  DIN: 0x00,
  DOUT: 0x04,
  /** Write ones to set bits of DOUT, or to clear them. */
  DOUT_SET: 0x08,
  DOUT_CLEAR: 0x0c,
  /** Output enable. */
  OE: 0x10,
} as const;
const BANK_SIZE = 0x20;

/** A device on the bus: three methods, 32-bit registers by byte offset. */
export interface Peripheral {
  read(offset: number): number;
  write(offset: number, value: number): void;
  reset(): void;
}

/** Told of every change of a pin that the chip drives. */
export type PinListener = (pin: number, level: 0 | 1) => void;

/** The GPIO block. */
export class Gpio implements Peripheral {
  readonly #out = new Uint32Array(GPIO_PINS / 32);
  readonly #enabled = new Uint32Array(GPIO_PINS / 32);
  readonly #outside = new Uint32Array(GPIO_PINS / 32);
  readonly #listeners = new Set<PinListener>();

  read(offset: number): number {
    const bank = Math.floor(offset / BANK_SIZE);
    switch (offset % BANK_SIZE) {
      case GPIO_REGISTERS.DIN:
        return this.#levels(bank);
      case GPIO_REGISTERS.DOUT:
        return this.#out[bank] ?? 0;
      case GPIO_REGISTERS.OE:
        return this.#enabled[bank] ?? 0;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    const bank = Math.floor(offset / BANK_SIZE);
    if (bank >= this.#out.length) return;
    const before = this.#levels(bank);
    switch (offset % BANK_SIZE) {
      case GPIO_REGISTERS.DOUT:
        this.#out[bank] = value;
        break;
      case GPIO_REGISTERS.DOUT_SET:
        this.#out[bank] = (this.#out[bank] ?? 0) | value;
        break;
      case GPIO_REGISTERS.DOUT_CLEAR:
        this.#out[bank] = (this.#out[bank] ?? 0) & ~value;
        break;
      case GPIO_REGISTERS.OE:
        this.#enabled[bank] = value;
        break;
      default:
        // Reserved and read-only registers ignore writes, as hardware does.
        return;
    }
    this.#announce(bank, before);
  }

  /** Outputs off and low; what drives the pins from outside goes on. */
  reset(): void {
    for (let bank = 0; bank < this.#out.length; bank++) {
      const before = this.#levels(bank);
      this.#out[bank] = 0;
      this.#enabled[bank] = 0;
      this.#announce(bank, before);
    }
  }

  /** The level of a pin, as a meter on it would show. */
  level(pin: number): 0 | 1 {
    return ((this.#levels(pin >> 5) >>> (pin & 31)) & 1) === 1 ? 1 : 0;
  }

  /** A level from outside, which an input reads. */
  drive(pin: number, level: 0 | 1): void {
    const bank = pin >> 5;
    const bit = 1 << (pin & 31);
    const before = this.#levels(bank);
    this.#outside[bank] = level === 1 ? (this.#outside[bank] ?? 0) | bit : (this.#outside[bank] ?? 0) & ~bit;
    this.#announce(bank, before);
  }

  /** Attaches a board model or an observer; returns the function that detaches it. */
  onChange(listener: PinListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #levels(bank: number): number {
    const enabled = this.#enabled[bank] ?? 0;
    return (((this.#out[bank] ?? 0) & enabled) | ((this.#outside[bank] ?? 0) & ~enabled)) >>> 0;
  }

  #announce(bank: number, before: number): void {
    const after = this.#levels(bank);
    for (let changed = (before ^ after) >>> 0; changed !== 0; changed = (changed & (changed - 1)) >>> 0) {
      const bit = 31 - Math.clz32(changed & -changed);
      for (const listener of this.#listeners) listener(bank * 32 + bit, ((after >>> bit) & 1) === 1 ? 1 : 0);
    }
  }
}

/** A light-emitting diode on a pin, lit while the pin is low (as on the reference board), as a person would see it. */
export class LedModel {
  #blinks = 0;
  #isLit = false;
  readonly #detach: () => void;

  constructor(gpio: Gpio, pin: number) {
    this.#detach = gpio.onChange((changed, level) => {
      if (changed !== pin) return;
      if (level === 0 && !this.#isLit) this.#blinks += 1;
      this.#isLit = level === 0;
    });
  }

  get isLit(): boolean {
    return this.#isLit;
  }

  /** How often it went from dark to lit. */
  get blinks(): number {
    return this.#blinks;
  }

  detach(): void {
    this.#detach();
  }
}
