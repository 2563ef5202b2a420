import type { Peripheral } from '../bus.ts';
import type { PeripheralWiring } from './interrupts.ts';

/** Two samples of 16 bits, left in the upper half: what goes over the wire in one frame. */
export type I2sFrame = number;

/** A part on an I2S bus: hears a frame of the chip, and sends one in the same time. */
export interface I2sDevice {
  exchange(frame: I2sFrame): I2sFrame;
}

const REGISTERS = {
  GLOBAL_CONTROL: 0x00,
  DL_CONTROL: 0x04,
  UL_CONTROL: 0x08,
  SOFT_RESET: 0x0c,
  DL_FIFO_W: 0x10,
  DL_FIFO_R: 0x14,
  UL_FIFO_W: 0x18,
  UL_FIFO_R: 0x1c,
  DL_EMPTY_VALUE: 0x20,
  DMA_IF: 0x30,
  INT_EN: 0x40,
  INT_CLR: 0x44,
  INT_STS: 0x48,
} as const;
const ENABLE = 1;
/** GLOBAL_CONTROL */
const PLAYS = 1 << 1;
const RECORDS = 1 << 2;
const MONO = 1 << 8;
const LOOPBACK = 1 << 31;
/** DMA_IF */
const DMA = { play: 1 << 15, record: 1 << 31 } as const;
/** INT_STS: a frame was due and there was none; one came and there was no room. */
const UNDERRUN = 1 << 17;
const OVERRUN = 1 << 18;
const FIFO = 32;
const SOFT_RESETS = 0x113;
/** On a clock that is not exact so many seconds of frames go at once, and FIFOs hold as many. */
const COARSE = 0.002;

/** Hz by the four bits of SR: two steps of 4 kHz to 7 kHz, doubled. */
const sampleRate = (control: number): number => {
  const code = (control >>> 8) & 0xf;
  return ((code & 3) + 4) * 1000 * 2 ** ((code >> 2) + 1);
};

/**
 * An I2S unit: plays ("down link") and records ("up link") frames of two samples of 16 bits at the rate of
 * DL_CONTROL, or UL_CONTROL where it only records, through two FIFOs whose data register is a region of its own. Time
 * slots beyond two, inverted clocks and the codec's own clock change nothing here.
 */
export class I2s implements Peripheral {
  /** The data register. */
  readonly data: Peripheral;
  readonly #wiring: PeripheralWiring;
  readonly #registers = new Map<number, number>();
  #device: I2sDevice | null = null;
  #playing: number[] = [];
  #recorded: number[] = [];
  #status = 0;
  #isRunning = false;
  #cancel: () => void = () => {};

  constructor(wiring: PeripheralWiring) {
    this.#wiring = wiring;
    this.data = {
      read: () => {
        const frame = this.#recorded.shift() ?? 0;
        this.#signal();
        return frame;
      },
      write: (_offset, value) => {
        if (this.#playing.length < this.#depth) this.#playing.push(value);
        this.#signal();
      },
      reset() {},
    };
  }

  attach(device: I2sDevice): void {
    this.#device = device;
  }

  #get(register: number): number {
    return this.#registers.get(register) ?? 0;
  }

  get #depth(): number {
    return this.#wiring.timeline()?.isExact === false ? sampleRate(this.#rateControl) * COARSE : FIFO;
  }

  get #plays(): boolean {
    return (
      (this.#get(REGISTERS.GLOBAL_CONTROL) & PLAYS) !== 0 && (this.#get(REGISTERS.DL_CONTROL) & ENABLE) !== 0
    );
  }

  get #records(): boolean {
    return (
      (this.#get(REGISTERS.GLOBAL_CONTROL) & RECORDS) !== 0 &&
      (this.#get(REGISTERS.UL_CONTROL) & ENABLE) !== 0
    );
  }

  get #rateControl(): number {
    return this.#get(this.#plays ? REGISTERS.DL_CONTROL : REGISTERS.UL_CONTROL);
  }

  read(offset: number): number {
    switch (offset) {
      case REGISTERS.INT_STS:
        return this.#status;
      case REGISTERS.DL_FIFO_W:
      case REGISTERS.DL_FIFO_R:
        return this.#fifoWord(offset, this.#playing.length);
      case REGISTERS.UL_FIFO_W:
      case REGISTERS.UL_FIFO_R:
        return this.#fifoWord(offset, this.#recorded.length);
      default:
        return this.#get(offset);
    }
  }

  /** FIFO control: empty or full in b1, how many wait in b15:8, the threshold in b23:16. */
  #fifoWord(offset: number, count: number): number {
    const isWriting = offset === REGISTERS.DL_FIFO_W || offset === REGISTERS.UL_FIFO_W;
    const end = isWriting ? count >= this.#depth : count === 0;
    return (this.#get(offset) & 0xff_0000) | (Math.min(count, 0xff) << 8) | (end ? 2 : 0);
  }

  write(offset: number, value: number): void {
    if (offset === REGISTERS.INT_STS) return;
    if (offset === REGISTERS.INT_CLR) this.#status &= ~value;
    else this.#registers.set(offset, value);
    if (offset === REGISTERS.SOFT_RESET && (value & SOFT_RESETS) !== 0) {
      this.#playing = [];
      this.#recorded = [];
      this.#status = 0;
    }
    this.#begin();
    this.#signal();
  }

  reset(): void {
    this.#cancel();
    this.#isRunning = false;
    this.#registers.clear();
    this.#playing = [];
    this.#recorded = [];
    this.#status = 0;
    this.#signal();
  }

  /** Starts or ends the row of frames. */
  #begin(): void {
    const isOn = (this.#get(REGISTERS.GLOBAL_CONTROL) & ENABLE) !== 0 && (this.#plays || this.#records);
    if (isOn === this.#isRunning) return;
    this.#isRunning = isOn;
    this.#cancel();
    if (isOn) this.#frames();
  }

  #frames(): void {
    const timeline = this.#wiring.timeline();
    if (timeline === null) return;
    const rate = sampleRate(this.#rateControl);
    const count = timeline.isExact ? 1 : Math.round((rate * COARSE) / 2);
    this.#cancel = timeline.after(count / rate, () => {
      for (let index = 0; index < count; index++) this.#frame();
      this.#frames();
    });
  }

  #frame(): void {
    const isMono = (this.#get(REGISTERS.GLOBAL_CONTROL) & MONO) !== 0;
    const next = this.#plays ? this.#playing.shift() : 0;
    if (next === undefined) this.#status |= UNDERRUN;
    const word = next ?? this.#get(REGISTERS.DL_EMPTY_VALUE);
    const frame = (isMono && next !== undefined ? ((word & 0xffff) << 16) | (word & 0xffff) : word) >>> 0;
    const isLooped = (this.#get(REGISTERS.GLOBAL_CONTROL) & LOOPBACK) !== 0;
    const answer = isLooped ? frame : (this.#device?.exchange(frame) ?? 0);
    if (this.#records) {
      if (this.#recorded.length < this.#depth) this.#recorded.push(answer >>> 0);
      else this.#status |= OVERRUN;
    }
    this.#signal();
  }

  #signal(): void {
    const { interrupt, request } = this.#wiring;
    const dma = this.#get(REGISTERS.DMA_IF);
    interrupt((this.#status & this.#get(REGISTERS.INT_EN)) !== 0);
    request('transmit', this.#plays && (dma & DMA.play) !== 0 && this.#playing.length < this.#depth);
    request('receive', (dma & DMA.record) !== 0 && this.#recorded.length > 0);
  }
}
