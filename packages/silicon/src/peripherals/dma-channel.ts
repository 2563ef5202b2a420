import { SiliconError } from '../errors.ts';
import type { Timeline } from '../timeline.ts';

/** Registers of a channel (real-time-cores.md §1.9). */
export const DMA_REGISTERS = {
  SRC: 0x00,
  DST: 0x04,
  WPPT: 0x08,
  WPTO: 0x0c,
  COUNT: 0x10,
  CON: 0x14,
  START: 0x18,
  INTSTA: 0x1c,
  ACKINT: 0x20,
  RLCT: 0x24,
  LIMITER: 0x28,
  PGMADDR: 0x2c,
  FFCNT: 0x38,
  FFSTA: 0x3c,
  ALTLEN: 0x40,
  FFSIZE: 0x44,
  TO: 0x50,
  HWPTR: 0x58,
  SWPTR: 0x5c,
  FIXADDR: 0x60,
} as const;

/** Bits of CON. */
const CON = {
  size: 3,
  sourceStep: 1 << 2,
  targetStep: 1 << 3,
  request: 1 << 4,
  half: 1 << 13,
  timeout: 1 << 14,
  interrupt: 1 << 15,
  wrapTarget: 1 << 16,
  wrap: 1 << 17,
  fromPeripheral: 1 << 18,
} as const;
/** Bits of INTSTA and ACKINT: those of CON that enable each, but for that of the timeout. */
const TIMED_OUT = 1 << 16;
const STATUS_BITS = CON.half | CON.interrupt | TIMED_OUT;
const STARTED = 1 << 15;
const FULL = 1;
const EMPTY = 2;
/** Pointers of a virtual FIFO: an offset, and a flag that turns round with every lap. */
const LAP = 1 << 16;
const OFFSET = 0xffff;
/** Transfers that a channel makes at once, and how many it makes in a second: then it takes its time. */
const BURST = 64;
const TRANSFERS_PER_SECOND = 49_400_000;
/** TO counts cycles of the crystal. */
const TIMEOUT_HZ = 26_000_000;

/** What a channel is made for: memory to memory, between memory and a peripheral, or a ring in memory before one. */
export type DmaKind = 'full' | 'half' | 'virtual';

/** What a channel works with. */
export interface DmaChannelParts {
  readonly kind: DmaKind;
  readonly timeline: () => Timeline;
  readonly read: (address: number, size: 1 | 2 | 4) => number;
  readonly write: (address: number, size: 1 | 2 | 4, value: number) => void;
  /** Whether the peripheral has something, or takes something. */
  readonly isRequested: () => boolean;
  /** INTSTA is not 0, or is again. */
  readonly onStatus: () => void;
}

const SIZES = [1, 2, 4, 4] as const;
/** Registers that compute what they tell: every other one holds what is written. */
const COMPUTED: readonly number[] = [DMA_REGISTERS.RLCT, DMA_REGISTERS.FFCNT, DMA_REGISTERS.FFSTA];
const LAST: number = DMA_REGISTERS.FIXADDR;

/** One channel. It waits for its peripheral, which has its pace; what is longer than a burst takes time of its own. */
export class DmaChannel {
  readonly #parts: DmaChannelParts;
  readonly #registers = new Map<number, number>();
  #isStarted = false;
  isPaused = false;
  #status = 0;
  #done = 0;
  #hardware = 0;
  #software = 0;
  #isMoving = false;
  #readyAt = 0;
  #cancelWake: (() => void) | null = null;
  #cancelTimeout: () => void = () => {};

  constructor(parts: DmaChannelParts) {
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#isStarted;
  }

  get status(): number {
    return this.#status;
  }

  #get(register: number): number {
    return this.#registers.get(register) ?? 0;
  }

  get #size(): 1 | 2 | 4 {
    return SIZES[this.#get(DMA_REGISTERS.CON) & CON.size] ?? 4;
  }

  get #isFromPeripheral(): boolean {
    return (this.#get(DMA_REGISTERS.CON) & CON.fromPeripheral) !== 0;
  }

  read(register: number): number {
    switch (register) {
      case DMA_REGISTERS.START:
        return this.#isStarted ? STARTED : 0;
      case DMA_REGISTERS.INTSTA:
        return this.#status;
      case DMA_REGISTERS.RLCT:
        return Math.max(0, this.#get(DMA_REGISTERS.COUNT) - this.#done);
      case DMA_REGISTERS.FFCNT:
        return this.#waiting;
      case DMA_REGISTERS.FFSTA:
        return (this.#waiting >= this.#ring ? FULL : 0) | (this.#waiting === 0 ? EMPTY : 0);
      case DMA_REGISTERS.HWPTR:
        return this.#hardware;
      case DMA_REGISTERS.SWPTR:
        return this.#software;
      default:
        return this.#get(register);
    }
  }

  write(register: number, value: number): void {
    switch (register) {
      case DMA_REGISTERS.START:
        this.#start((value & STARTED) !== 0);
        return;
      case DMA_REGISTERS.ACKINT:
        this.#status &= ~value & STATUS_BITS;
        this.#judge();
        this.#parts.onStatus();
        return;
      case DMA_REGISTERS.HWPTR:
        this.#hardware = value & (LAP | OFFSET);
        return;
      case DMA_REGISTERS.SWPTR:
        this.#software = value & (LAP | OFFSET);
        this.move();
        return;
      default:
        if (register <= LAST && !COMPUTED.includes(register)) this.#registers.set(register, value >>> 0);
    }
  }

  reset(): void {
    this.#cancelTimeout();
    this.#cancelWake?.();
    this.#cancelWake = null;
    this.#readyAt = 0;
    this.#registers.clear();
    this.#isStarted = false;
    this.isPaused = false;
    this.#status = 0;
    this.#done = 0;
    this.#hardware = 0;
    this.#software = 0;
    this.#parts.onStatus();
  }

  #start(isStarted: boolean): void {
    this.#cancelTimeout();
    if (isStarted && !this.#isStarted) this.#done = 0;
    this.#isStarted = isStarted;
    // Drivers that stop a ring begin again at its start.
    if (!isStarted) this.#hardware = 0;
    this.move();
  }

  /** Goes on as far as it can: called whenever something may have changed. */
  move(): void {
    // A transfer can itself change what a peripheral asks for.
    if (this.#isMoving || this.#isResting()) return;
    this.#isMoving = true;
    let count = 0;
    try {
      while (this.#isStarted && !this.isPaused && count < BURST && this.#step()) count += 1;
    } catch (error) {
      // Where its core may not reach, a channel reaches neither; the firewall has noted it.
      if (!(error instanceof SiliconError) || error.code !== 'BusFault') throw error;
      this.#isStarted = false;
    } finally {
      this.#isMoving = false;
    }
    this.#judge();
    if (count === 0) return;
    this.#readyAt = this.#parts.timeline().now() + count / TRANSFERS_PER_SECOND;
    if (count === BURST) this.#isResting();
  }

  /** Whether the last burst still takes its time; then the channel goes on when that is over. */
  #isResting(): boolean {
    const timeline = this.#parts.timeline();
    const left = this.#readyAt - timeline.now();
    if (left <= 0) return false;
    this.#cancelWake ??= timeline.after(left, () => {
      this.#cancelWake = null;
      this.move();
    });
    return true;
  }

  /** One transfer; whether another one may follow. */
  #step(): boolean {
    if (this.#parts.kind === 'virtual') return this.#stepRing();
    const control = this.#get(DMA_REGISTERS.CON);
    const count = this.#get(DMA_REGISTERS.COUNT) & OFFSET;
    if (this.#done >= count) {
      this.#isStarted = false;
      return false;
    }
    if ((control & CON.request) !== 0 && !this.#parts.isRequested()) return false;
    const [from, to] = this.#addresses(control);
    const size = this.#size;
    this.#parts.write(to, size, this.#parts.read(from, size));
    this.#done += 1;
    if (this.#done === count >> 1) this.#raise(CON.half);
    if (this.#done < count) return true;
    this.#isStarted = false;
    this.#raise(CON.interrupt);
    return false;
  }

  #addresses(control: number): readonly [from: number, to: number] {
    const size = this.#size;
    const place = (base: number, steps: boolean, wraps: boolean): number => {
      const wrapAt = this.#get(DMA_REGISTERS.WPPT);
      if (!steps) return base;
      if (wraps && wrapAt > 0 && this.#done >= wrapAt)
        return this.#get(DMA_REGISTERS.WPTO) + (this.#done - wrapAt) * size;
      return base + this.#done * size;
    };
    const wraps = (control & CON.wrap) !== 0;
    const wrapsTarget = (control & CON.wrapTarget) !== 0;
    const isFull = this.#parts.kind === 'full';
    const memory = this.#get(DMA_REGISTERS.PGMADDR);
    const fixed = this.#get(DMA_REGISTERS.FIXADDR);
    const source = isFull ? this.#get(DMA_REGISTERS.SRC) : this.#isFromPeripheral ? fixed : memory;
    const target = isFull ? this.#get(DMA_REGISTERS.DST) : this.#isFromPeripheral ? memory : fixed;
    return [
      place(source, (control & CON.sourceStep) !== 0, wraps && !wrapsTarget),
      place(target, (control & CON.targetStep) !== 0, wraps && wrapsTarget),
    ];
  }

  /** Elements that a ring holds: its registers count elements, its pointers bytes. */
  get #ring(): number {
    return this.#get(DMA_REGISTERS.FFSIZE) & OFFSET;
  }

  /** Elements that wait in a ring: written by one side and not yet taken by the other. */
  get #waiting(): number {
    const size = this.#size;
    const [ahead, behind] = this.#isFromPeripheral
      ? [this.#hardware, this.#software]
      : [this.#software, this.#hardware];
    const isNextLap = ((ahead ^ behind) & LAP) !== 0;
    const distance = (ahead & OFFSET) - (behind & OFFSET) + (isNextLap ? this.#ring * size : 0);
    // Pointers that software has set to nonsense are an empty ring.
    return distance < 0 || distance > this.#ring * size ? 0 : Math.floor(distance / size);
  }

  #stepRing(): boolean {
    const size = this.#size;
    const isIncoming = this.#isFromPeripheral;
    const room = isIncoming ? this.#ring - this.#waiting : this.#waiting;
    if (room < 1 || !this.#parts.isRequested()) return false;
    const memory = this.#get(DMA_REGISTERS.PGMADDR) + (this.#hardware & OFFSET);
    const peripheral = this.#get(DMA_REGISTERS.FIXADDR);
    if (isIncoming) this.#parts.write(memory, size, this.#parts.read(peripheral, size));
    else this.#parts.write(peripheral, size, this.#parts.read(memory, size));
    const next = (this.#hardware & OFFSET) + size;
    const isLap = next >= this.#ring * size;
    this.#hardware = isLap ? (this.#hardware & LAP) ^ LAP : (this.#hardware & LAP) | next;
    if (isIncoming) this.#expectMore();
    return true;
  }

  /** COUNT is how full a receiving ring may get, or how empty a sending one, before software is told. */
  #judge(): void {
    if (this.#parts.kind !== 'virtual' || !this.#isStarted) return;
    const threshold = this.#get(DMA_REGISTERS.COUNT) & OFFSET;
    const isDue = this.#isFromPeripheral ? this.#waiting >= threshold : this.#waiting <= threshold;
    if (isDue) this.#raise(CON.interrupt);
  }

  /** What has come and is not followed by anything is told after a while, few as it may be. */
  #expectMore(): void {
    this.#cancelTimeout();
    const cycles = this.#get(DMA_REGISTERS.TO);
    if ((this.#get(DMA_REGISTERS.CON) & CON.timeout) === 0 || cycles === 0) return;
    this.#cancelTimeout = this.#parts.timeline().after(cycles / TIMEOUT_HZ, () => {
      if (this.#waiting > 0) this.#raise(CON.timeout);
    });
  }

  /** Notes a cause where CON enables it. */
  #raise(cause: number): void {
    if ((this.#get(DMA_REGISTERS.CON) & cause) === 0) return;
    this.#status |= cause === CON.timeout ? TIMED_OUT : cause;
    this.#parts.onStatus();
  }
}
