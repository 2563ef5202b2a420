import type { AnalogSource } from '../peripherals/adc.ts';
import type { I2cDevice } from '../peripherals/i2c-wires.ts';
import type { SpiDevice } from '../peripherals/spi.ts';
import type { UartDevice } from '../peripherals/uart.ts';

/**
 * A temperature sensor of the TMP102 kind: a pointer register, then registers of two bytes, highest first:
 * temperature (12 bits, 0.0625 °C, left-justified), configuration, low and high limit.
 */
export class TemperatureSensorModel implements I2cDevice {
  readonly address: number;
  /** Degrees Celsius where the part is. */
  celsius = 21;
  readonly #registers = [0, 0x60a0, 0x4b00, 0x5000];
  #pointer = 0;
  #position = 0;

  constructor(address = 0x48) {
    this.address = address;
  }

  start(): 'ack' {
    this.#position = 0;
    return 'ack';
  }

  write(byte: number): boolean {
    if (this.#position === 0) this.#pointer = byte & 3;
    // Temperature is read only; further bytes than two are taken and mean nothing.
    else if (this.#pointer !== 0 && this.#position <= 2) {
      const shift = this.#position === 1 ? 8 : 0;
      const old = this.#registers[this.#pointer] ?? 0;
      this.#registers[this.#pointer] = (old & ~(0xff << shift)) | (byte << shift);
    }
    this.#position += 1;
    return true;
  }

  read(): number {
    const value = this.#pointer === 0 ? this.#temperature : (this.#registers[this.#pointer] ?? 0);
    const byte = (value >> (this.#position === 0 ? 8 : 0)) & 0xff;
    this.#position = (this.#position + 1) % 2;
    return byte;
  }

  stop(): void {
    this.#position = 0;
  }

  get #temperature(): number {
    const steps = Math.min(0x7ff, Math.max(-0x800, Math.round(this.celsius / 0.0625)));
    return (steps & 0xfff) << 4;
  }
}

const WHO_AM_I = 0x0f;
const CTRL1_XL = 0x10;
const CTRL3_C = 0x12;
const STATUS_REG = 0x1e;
const OUT_TEMP = 0x20;
const OUT_XL = 0x28;
/** Of an LSM6DS3; its younger sisters have the same registers and answer with another one. */
const IDENTITY = 0x69;
const RESET_CTRL3 = 0x04;
const SOFTWARE_RESET = 1;
/** Milli-g a step at ±2, ±16, ±4 and ±8 g: CTRL1_XL b3:2. */
const SENSITIVITY = [0.061, 0.488, 0.122, 0.244] as const;
/** Milli-degrees a second a step at 245, 500, 1000 and 2000: CTRL2_G b3:2. */
const TURN_SENSITIVITY = [8.75, 17.5, 35, 70] as const;
const CTRL2_G = 0x11;
const OUT_G = 0x22;
const READY = { acceleration: 1, rotation: 2, temperature: 4 } as const;

/**
 * An accelerometer of the LSM6DS3 kind: registers of one byte, the address moves on by itself. The same registers over
 * I2C and SPI, where b7 of the address says that the rest is read.
 */
export class AccelerometerModel implements I2cDevice, SpiDevice {
  readonly address: number;
  readonly modes = [0, 3];
  readonly selectLevel = 0;
  /** What it feels, in g. */
  acceleration: { x: number; y: number; z: number } = { x: 0, y: 0, z: 1 };
  /** How it turns, in degrees a second. */
  rotation: { x: number; y: number; z: number } = { x: 0, y: 0, z: 0 };
  celsius = 21;
  readonly #identity: number;
  readonly #registers = new Map<number, number>();
  #pointer: number | null = null;
  #isReading = false;

  constructor(address = 0x6a, identity: number = IDENTITY) {
    this.address = address;
    this.#identity = identity;
  }

  start(direction: 'read' | 'write'): 'ack' {
    if (direction === 'write') this.#pointer = null;
    return 'ack';
  }

  write(byte: number): boolean {
    if (this.#pointer === null) this.#pointer = byte & 0x7f;
    else this.#store(byte);
    return true;
  }

  read(): number {
    const at = this.#pointer ?? 0;
    this.#pointer = (at + 1) & 0x7f;
    return this.#value(at);
  }

  stop(): void {}

  select(): void {
    this.#pointer = null;
  }

  exchange(byte: number): number {
    if (this.#pointer === null) {
      this.#isReading = (byte & 0x80) !== 0;
      this.#pointer = byte & 0x7f;
      return 0xff;
    }
    if (this.#isReading) return this.read();
    this.#store(byte);
    return 0xff;
  }

  deselect(): void {}

  #store(byte: number): void {
    const at = this.#pointer ?? 0;
    this.#pointer = (at + 1) & 0x7f;
    if (at === CTRL3_C && (byte & SOFTWARE_RESET) !== 0) this.#registers.clear();
    else if (at >= CTRL1_XL && at <= 0x19) this.#registers.set(at, byte);
  }

  #value(at: number): number {
    if (at === WHO_AM_I) return this.#identity;
    if (at === STATUS_REG) return this.#status;
    if (at === OUT_TEMP || at === OUT_TEMP + 1)
      return word(Math.round((this.celsius - 25) * 16), at - OUT_TEMP);
    if (at >= OUT_XL && at < OUT_XL + 6)
      return this.#axis(at - OUT_XL, CTRL1_XL, this.acceleration, SENSITIVITY);
    if (at >= OUT_G && at < OUT_G + 6)
      return this.#axis(at - OUT_G, CTRL2_G, this.rotation, TURN_SENSITIVITY);
    return this.#registers.get(at) ?? (at === CTRL3_C ? RESET_CTRL3 : 0);
  }

  #isOn(control: number): boolean {
    return ((this.#registers.get(control) ?? 0) & 0xf0) !== 0;
  }

  get #status(): number {
    const [moves, turns] = [this.#isOn(CTRL1_XL), this.#isOn(CTRL2_G)];
    return (
      (moves ? READY.acceleration : 0) |
      (turns ? READY.rotation : 0) |
      (moves || turns ? READY.temperature : 0)
    );
  }

  /** One byte of what is measured along three axes, in steps of the range that the control register chooses. */
  #axis(
    at: number,
    control: number,
    { x, y, z }: { readonly x: number; readonly y: number; readonly z: number },
    steps: readonly [number, number, number, number],
  ): number {
    if (!this.#isOn(control)) return 0;
    const range = ((this.#registers.get(control) ?? 0) >> 2) & 3;
    return word(Math.round((([x, y, z][at >> 1] ?? 0) * 1000) / (steps[range] ?? steps[0])), at & 1);
  }
}

/** One byte of a signed word of 16 bits, lowest first. */
function word(value: number, index: number): number {
  return (Math.min(0x7fff, Math.max(-0x8000, value)) >> (8 * index)) & 0xff;
}

/** A wire from TX to RX. */
export class LoopbackModel implements UartDevice {
  receive(byte: number, send: (byte: number) => void): void {
    send(byte);
  }
}

/** A potentiometer between 0 V and its supply, which drives an ADC channel. */
export class PotentiometerModel {
  /** Where the knob is, 0 to 1. */
  position = 0.5;
  readonly #supply: number;

  constructor(supply = 2.5) {
    this.#supply = supply;
  }

  readonly source: AnalogSource = () => this.position * this.#supply;
}

/** Wires from the I2C pins of one serial unit to those of another: a master here finds the slave there. */
export class I2cWireModel {
  readonly units: readonly [number, number];

  constructor(isu: number, other: number) {
    this.units = [isu, other];
  }
}
