import {
  ADC_BITS,
  ADC_CHANNELS,
  ADC_REFERENCES,
  isBytes,
  type Port,
  type PortValue,
} from '@sevenfold/formats';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, NON_BLOCKING, OpenFile, READY, type Readiness } from './open-file.ts';
import type { Waker } from './waker.ts';

/** Bytes asked of the kernel at a time. */
const CHUNK = 4096;
const NO_BYTES = new Uint8Array(0);

function bytesOf(value: PortValue, length?: number): Uint8Array {
  if (!isBytes(value) || (length !== undefined && value.length !== length)) throw new CallRefused('EIO');
  return value;
}

/** `UART_Config`, as it lies in the app's memory. */
export interface UartConfig {
  readonly baudRate: number;
  readonly dataBits: number;
  readonly parity: number;
  readonly stopBits: number;
  readonly flowControl: number;
}
const PARITIES = ['none', 'even', 'odd'] as const;
const FLOW_CONTROLS = ['none', 'rtscts', 'xonxoff'] as const;

/** A UART: never blocks, since the only blocking mode there is says so (azure-sphere.md §4.4). */
export class UartFile extends OpenFile {
  readonly fileType = FILE_TYPE.characterDevice;
  readonly #kernel: Port;
  readonly #waker: Waker;
  readonly #unit: number;
  #received: Uint8Array = NO_BYTES;
  #isReceiving = false;
  /** The kernel took nothing at the last write: true until it says that there is room. */
  #isFull = false;
  #failure: unknown = null;

  constructor(kernel: Port, waker: Waker, unit: number) {
    super();
    this.#kernel = kernel;
    this.#waker = waker;
    this.#unit = unit;
    this.flags = NON_BLOCKING;
    // From the first moment on: what arrives before the app looks is waiting here or in the kernel.
    this.#receive();
  }

  static async open(kernel: Port, waker: Waker, unit: number, config: UartConfig): Promise<UartFile> {
    const { baudRate, dataBits, stopBits } = config;
    const parity = PARITIES[config.parity];
    const flowControl = FLOW_CONTROLS[config.flowControl];
    if (parity === undefined || flowControl === undefined) throw new CallRefused('EINVAL');
    await kernel.call('uartOpen', unit, { baudRate, dataBits, parity, stopBits, flowControl });
    return new UartFile(kernel, waker, unit);
  }

  #receive(): void {
    if (this.#isReceiving || this.#failure !== null || this.#received.length > 0) return;
    this.#isReceiving = true;
    this.#settle(
      this.#kernel.call('uartRead', this.#unit, CHUNK).then((bytes) => {
        this.#received = bytesOf(bytes);
      }),
      () => {
        this.#isReceiving = false;
      },
    );
  }

  /** Notes how a call ended, and wakes who waits for the descriptor. */
  #settle(call: Promise<unknown>, finished: () => void): void {
    call
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        finished();
        this.#waker.wake();
      });
  }

  override readiness(): Readiness {
    this.#receive();
    let events: number = this.#isFull ? 0 : READY.output;
    if (this.#received.length > 0) events |= READY.input;
    if (this.#failure !== null) events |= READY.input | READY.error;
    return { events, changesAt: null };
  }

  override read(most: number): Uint8Array {
    if (this.#received.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      this.#receive();
      throw new CallRefused('EAGAIN');
    }
    const bytes = this.#received.subarray(0, most);
    this.#received = this.#received.subarray(bytes.length);
    this.#receive();
    return bytes;
  }

  override async write(bytes: Uint8Array): Promise<number> {
    if (bytes.length === 0) return 0;
    const count = await this.#kernel.call('uartWrite', this.#unit, bytes.subarray(0, CHUNK));
    if (typeof count !== 'number') throw new CallRefused('EIO');
    if (count > 0) return count;
    if (!this.#isFull) {
      this.#isFull = true;
      this.#settle(this.#kernel.call('uartWritable', this.#unit), () => {
        this.#isFull = false;
      });
    }
    throw new CallRefused('EAGAIN');
  }

  override async close(): Promise<void> {
    await this.#kernel.call('uartClose', this.#unit);
  }
}

const I2C_SPEEDS = [100_000, 400_000, 1_000_000];
const DEFAULT_TIMEOUT = 1000;
const LONGEST_TIMEOUT = 60_000;
const MOST_ADDRESS = 0x7f;

/** An I2C master. `read` and `write` go to its default target. */
export class I2cFile extends OpenFile {
  readonly fileType = FILE_TYPE.characterDevice;
  readonly #kernel: Port;
  readonly #unit: number;
  #speed = 0;
  #timeout = DEFAULT_TIMEOUT;
  #target: number | null = null;

  constructor(kernel: Port, unit: number) {
    super();
    this.#kernel = kernel;
    this.#unit = unit;
  }

  static async open(kernel: Port, unit: number): Promise<I2cFile> {
    await kernel.call('i2cOpen', unit);
    return new I2cFile(kernel, unit);
  }

  setSpeed(hertz: number): void {
    const index = I2C_SPEEDS.indexOf(hertz >>> 0);
    if (index < 0) throw new CallRefused('EINVAL');
    this.#speed = index;
  }

  setTimeout(milliseconds: number): void {
    this.#timeout = Math.min(milliseconds >>> 0, LONGEST_TIMEOUT);
  }

  setTarget(address: number): void {
    if (address >>> 0 > MOST_ADDRESS) throw new CallRefused('EINVAL');
    this.#target = address;
  }

  /** What was read; null for `write` or `read` leaves that half out. */
  async transfer(address: number, write: Uint8Array | null, read: number | null): Promise<Uint8Array> {
    const bytes = await this.#kernel.call(
      'i2cTransfer',
      this.#unit,
      address >>> 0,
      write,
      read,
      this.#speed,
      this.#timeout,
    );
    return bytesOf(bytes, read ?? 0);
  }

  get #targetOrRefuse(): number {
    if (this.#target === null) throw new CallRefused('EINVAL');
    return this.#target;
  }

  override read(most: number): Promise<Uint8Array> {
    return this.transfer(this.#targetOrRefuse, null, Math.min(most, CHUNK));
  }

  override async write(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, CHUNK);
    await this.transfer(this.#targetOrRefuse, part, null);
    return part.length;
  }

  override async close(): Promise<void> {
    await this.#kernel.call('i2cClose', this.#unit);
  }
}

/** `SPI_Mode` and `SPI_BitOrder` count from 1. */
const MODES = 4;
const ORDERS = 2;
const SPI_SPEED = { least: 20_000, most: 40_000_000, initial: 1_000_000 };

/** An SPI master with one select line. */
export class SpiFile extends OpenFile {
  readonly fileType = FILE_TYPE.characterDevice;
  readonly #kernel: Port;
  readonly #unit: number;
  readonly #chipSelect: number;
  #mode = 0;
  #isLsbFirst = false;
  #speed = SPI_SPEED.initial;

  constructor(kernel: Port, unit: number, chipSelect: number) {
    super();
    this.#kernel = kernel;
    this.#unit = unit;
    this.#chipSelect = chipSelect;
  }

  /** `chipSelect`: -1 is A, -2 is B. `polarity`: 1 active low, 2 active high. */
  static async open(kernel: Port, unit: number, chipSelect: number, polarity: number): Promise<SpiFile> {
    if (polarity !== 1 && polarity !== 2) throw new CallRefused('EINVAL');
    if (chipSelect !== -1 && chipSelect !== -2) throw new CallRefused('ENODEV');
    const line = -1 - chipSelect;
    await kernel.call('spiOpen', unit, line, polarity === 2);
    return new SpiFile(kernel, unit, line);
  }

  setSpeed(hertz: number): void {
    // Rounded down to what the chip does, never up.
    if (hertz >>> 0 < SPI_SPEED.least) throw new CallRefused('EINVAL');
    this.#speed = Math.min(hertz >>> 0, SPI_SPEED.most);
  }

  setMode(mode: number): void {
    if (mode < 1 || mode > MODES) throw new CallRefused('EINVAL');
    this.#mode = mode - 1;
  }

  setBitOrder(order: number): void {
    if (order < 1 || order > ORDERS) throw new CallRefused('EINVAL');
    this.#isLsbFirst = order === 1;
  }

  /** Segments under one select: bytes to write, or how many to read. Everything that was read, in order. */
  async transfer(segments: readonly (Uint8Array | number)[]): Promise<Uint8Array> {
    const settings = { mode: this.#mode, isLsbFirst: this.#isLsbFirst, speed: this.#speed };
    const read = segments.reduce<number>(
      (sum, segment) => sum + (typeof segment === 'number' ? segment : 0),
      0,
    );
    return bytesOf(
      await this.#kernel.call('spiTransfer', this.#unit, this.#chipSelect, settings, segments),
      read,
    );
  }

  override read(most: number): Promise<Uint8Array> {
    return this.transfer([Math.min(most, CHUNK)]);
  }

  override async write(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, CHUNK);
    await this.transfer([part]);
    return part.length;
  }

  override async close(): Promise<void> {
    await this.#kernel.call('spiClose', this.#unit, this.#chipSelect);
  }
}

/** Reference voltages in millivolts, as the chip has them. */
const REFERENCES = ADC_REFERENCES;
const HIGHEST_REFERENCE = 2500;

/** The ADC controller. */
export class AdcFile extends OpenFile {
  readonly fileType = FILE_TYPE.characterDevice;
  readonly #kernel: Port;
  readonly #references = new Map<number, number>();

  constructor(kernel: Port) {
    super();
    this.#kernel = kernel;
  }

  static async open(kernel: Port, controller: number): Promise<AdcFile> {
    await kernel.call('adcOpen', controller >>> 0);
    return new AdcFile(kernel);
  }

  sampleBits(channel: number): number {
    this.#check(channel);
    return ADC_BITS;
  }

  /** The nearest of the chip's references; EINVAL beyond what it stands. */
  setReference(channel: number, millivolts: number): void {
    this.#check(channel);
    if (millivolts <= 0 || millivolts > HIGHEST_REFERENCE) throw new CallRefused('EINVAL');
    const distance = (index: number): number => Math.abs((REFERENCES[index] ?? 0) - millivolts);
    this.#references.set(channel, distance(1) < distance(0) ? 1 : 0);
  }

  async sample(channel: number): Promise<number> {
    this.#check(channel);
    const value = await this.#kernel.call('adcSample', channel, this.#references.get(channel) ?? 0);
    if (typeof value !== 'number') throw new CallRefused('EIO');
    return value;
  }

  #check(channel: number): void {
    if (channel >>> 0 >= ADC_CHANNELS) throw new CallRefused('ENODEV');
  }

  override async close(): Promise<void> {
    await this.#kernel.call('adcClose');
  }
}

/** A PWM controller. */
export class PwmFile extends OpenFile {
  readonly fileType = FILE_TYPE.characterDevice;
  readonly #kernel: Port;
  readonly #controller: number;

  constructor(kernel: Port, controller: number) {
    super();
    this.#kernel = kernel;
    this.#controller = controller;
  }

  static async open(kernel: Port, controller: number): Promise<PwmFile> {
    await kernel.call('pwmOpen', controller >>> 0);
    return new PwmFile(kernel, controller);
  }

  /** `PwmState`, in nanoseconds; the duty cycle is at most the period. */
  async apply(
    channel: number,
    period: number,
    duty: number,
    polarity: number,
    isEnabled: boolean,
  ): Promise<void> {
    if (polarity !== 0 && polarity !== 1) throw new CallRefused('EINVAL');
    await this.#kernel.call('pwmApply', this.#controller, channel >>> 0, {
      period: period >>> 0,
      duty: duty >>> 0,
      isInverted: polarity === 1,
      isEnabled,
    });
  }

  override async close(): Promise<void> {
    await this.#kernel.call('pwmClose', this.#controller);
  }
}
