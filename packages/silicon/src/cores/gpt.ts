import type { Peripheral } from '../bus.ts';
import type { CoreTimer } from './core.ts';

/** Registers of the general-purpose timers (real-time-cores.md §1.4). */
export const GPT_REGISTERS = {
  ISR: 0x00,
  IER: 0x04,
  GPT0_CTRL: 0x10,
  GPT0_ICNT: 0x14,
  GPT1_CTRL: 0x20,
  GPT1_ICNT: 0x24,
  GPT2_CTRL: 0x30,
  GPT2_CNT: 0x34,
  GPT0_CNT: 0x40,
  GPT1_CNT: 0x44,
  GPT3_CTRL: 0x50,
  GPT3_INIT: 0x54,
  GPT3_CNT: 0x58,
  GPT3_EXPIRE: 0x5c,
  GPT4_CTRL: 0x60,
  GPT4_INIT: 0x64,
  GPT4_CNT: 0x68,
} as const;

const CRYSTAL = 26_000_000;
const SLOW = 32_768;
const ENABLE = 1;
const REPEAT = 2;
/** GPT0 to 2: 32768 Hz instead of 32768 / 33. GPT4: the core's own clock. */
const FAST = { counter: 4, free: 2 } as const;
const ICLR = 1 << 15;
/** Interrupt lines: GPT0 and GPT1 share one, GPT3 has its own. */
const LINES = { shared: 1, expire: 2 } as const;

/** What the timers need of the core that they belong to. */
export interface GptParts {
  /** Cycles of the core. */
  readonly now: () => number;
  readonly cyclesPerSecond: number;
  readonly setLine: (line: number, isUp: boolean) => void;
}

/** A counter that is derived from time: how many ticks since it was started. */
class Ticker {
  control = 0;
  start = 0;
  init = 0;

  ticks(now: number, hertz: number, cyclesPerSecond: number): number {
    if ((this.control & ENABLE) === 0) return 0;
    return Math.floor(((now - this.start) * hertz) / cyclesPerSecond);
  }
}

/**
 * The five general-purpose timers of a core: GPT0 and GPT1 count down and interrupt at zero, GPT2 and GPT4 run free,
 * GPT3 counts microseconds or what its divider says and interrupts at a value.
 */
export class Gpt implements Peripheral, CoreTimer {
  readonly #parts: GptParts;
  readonly #down = [new Ticker(), new Ticker()];
  readonly #free = new Ticker();
  readonly #expiring = new Ticker();
  readonly #bus = new Ticker();
  #status = 0;
  #enabled = 0;
  #expire = 0;
  #hasExpired = false;
  #isExpiryUp = false;

  constructor(parts: GptParts) {
    this.#parts = parts;
  }

  reset(): void {
    for (const ticker of [...this.#down, this.#free, this.#expiring, this.#bus]) {
      ticker.control = 0;
      ticker.init = 0;
      ticker.start = 0;
    }
    this.#status = 0;
    this.#enabled = 0;
    this.#expire = 0;
    this.#hasExpired = false;
    this.#isExpiryUp = false;
    this.#signal();
  }

  #hertz(ticker: Ticker): number {
    if (ticker === this.#expiring) return CRYSTAL / (((ticker.control >>> 16) & 0x3f) + 1);
    if (ticker === this.#bus) return ticker.control & FAST.free ? this.#parts.cyclesPerSecond : CRYSTAL;
    const isFast = (ticker.control & (ticker === this.#free ? FAST.free : FAST.counter)) !== 0;
    return isFast ? SLOW : SLOW / 33;
  }

  #ticks(ticker: Ticker, now: number): number {
    return ticker.ticks(now, this.#hertz(ticker), this.#parts.cyclesPerSecond);
  }

  /** The cycle in which a running counter has made so many ticks. */
  #cycleOf(ticker: Ticker, ticks: number): number {
    return Math.ceil(ticker.start + (ticks * this.#parts.cyclesPerSecond) / this.#hertz(ticker));
  }

  advance(now: number): void {
    for (const [index, ticker] of this.#down.entries()) {
      if ((ticker.control & ENABLE) === 0 || ticker.init === 0) continue;
      if (now < this.#cycleOf(ticker, ticker.init)) continue;
      this.#status |= 1 << index;
      if (ticker.control & REPEAT) {
        // Not rounded to cycles: no period is longer than another for good.
        const rounds = Math.max(1, Math.floor(this.#ticks(ticker, now) / ticker.init));
        ticker.start += (rounds * ticker.init * this.#parts.cyclesPerSecond) / this.#hertz(ticker);
      } else ticker.control &= ~ENABLE;
    }
    const isDue = now >= this.#expiry();
    if (isDue) {
      this.#hasExpired = true;
      this.#isExpiryUp = true;
    }
    this.#signal();
  }

  nextEvent(): number {
    let next = this.#expiry();
    for (const ticker of this.#down) {
      if ((ticker.control & ENABLE) === 0 || ticker.init === 0) continue;
      next = Math.min(next, this.#cycleOf(ticker, ticker.init));
    }
    return next;
  }

  /** When GPT3 comes to its value; once. */
  #expiry(): number {
    const distance = this.#expire - this.#expiring.init;
    if ((this.#expiring.control & ENABLE) === 0 || this.#hasExpired || distance <= 0) return Infinity;
    return this.#cycleOf(this.#expiring, distance);
  }

  #signal(): void {
    this.#parts.setLine(LINES.shared, (this.#status & this.#enabled) !== 0);
    this.#parts.setLine(LINES.expire, this.#isExpiryUp);
  }

  #left(index: 0 | 1, now: number): number {
    const ticker = this.#down[index];
    if (ticker === undefined || (ticker.control & ENABLE) === 0) return 0;
    return Math.max(0, ticker.init - this.#ticks(ticker, now));
  }

  read(offset: number): number {
    const now = this.#parts.now();
    this.advance(now);
    switch (offset) {
      case GPT_REGISTERS.ISR:
        return this.#status;
      case GPT_REGISTERS.IER:
        return this.#enabled;
      case GPT_REGISTERS.GPT0_CTRL:
        return this.#down[0]?.control ?? 0;
      case GPT_REGISTERS.GPT1_CTRL:
        return this.#down[1]?.control ?? 0;
      case GPT_REGISTERS.GPT0_ICNT:
        return this.#down[0]?.init ?? 0;
      case GPT_REGISTERS.GPT1_ICNT:
        return this.#down[1]?.init ?? 0;
      case GPT_REGISTERS.GPT0_CNT:
        return this.#left(0, now);
      case GPT_REGISTERS.GPT1_CNT:
        return this.#left(1, now);
      case GPT_REGISTERS.GPT2_CTRL:
        return this.#free.control;
      case GPT_REGISTERS.GPT2_CNT:
        return this.#ticks(this.#free, now) >>> 0;
      case GPT_REGISTERS.GPT3_CTRL:
        return this.#expiring.control;
      case GPT_REGISTERS.GPT3_INIT:
        return this.#expiring.init;
      case GPT_REGISTERS.GPT3_CNT:
        return (this.#expiring.init + this.#ticks(this.#expiring, now)) >>> 0;
      case GPT_REGISTERS.GPT3_EXPIRE:
        return this.#expire;
      case GPT_REGISTERS.GPT4_CTRL:
        return this.#bus.control;
      case GPT_REGISTERS.GPT4_INIT:
        return this.#bus.init;
      case GPT_REGISTERS.GPT4_CNT:
        return (this.#bus.init + this.#ticks(this.#bus, now)) >>> 0;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    const now = this.#parts.now();
    this.advance(now);
    switch (offset) {
      case GPT_REGISTERS.ISR:
        this.#status &= ~value;
        break;
      case GPT_REGISTERS.IER:
        this.#enabled = value & 3;
        break;
      case GPT_REGISTERS.GPT0_CTRL:
        this.#control(this.#down[0], value, now);
        break;
      case GPT_REGISTERS.GPT1_CTRL:
        this.#control(this.#down[1], value, now);
        break;
      case GPT_REGISTERS.GPT0_ICNT:
        this.#initialise(this.#down[0], value, now);
        break;
      case GPT_REGISTERS.GPT1_ICNT:
        this.#initialise(this.#down[1], value, now);
        break;
      case GPT_REGISTERS.GPT2_CTRL:
        this.#control(this.#free, value, now);
        break;
      case GPT_REGISTERS.GPT3_CTRL:
        if (value & ICLR) this.#isExpiryUp = false;
        this.#control(this.#expiring, value & ~ICLR, now);
        break;
      case GPT_REGISTERS.GPT3_INIT:
        this.#initialise(this.#expiring, value, now);
        this.#hasExpired = false;
        break;
      case GPT_REGISTERS.GPT3_EXPIRE:
        this.#expire = value >>> 0;
        this.#hasExpired = false;
        break;
      case GPT_REGISTERS.GPT4_CTRL:
        this.#control(this.#bus, value, now);
        break;
      case GPT_REGISTERS.GPT4_INIT:
        this.#initialise(this.#bus, value, now);
        break;
      default:
        break;
    }
    this.#signal();
  }

  /** A counter starts when it is enabled; one that runs goes on. */
  #control(ticker: Ticker | undefined, value: number, now: number): void {
    if (ticker === undefined) return;
    const wasRunning = (ticker.control & ENABLE) !== 0;
    ticker.control = value;
    if (wasRunning) return;
    ticker.start = now;
    if (ticker === this.#expiring) this.#hasExpired = false;
  }

  #initialise(ticker: Ticker | undefined, value: number, now: number): void {
    if (ticker === undefined) return;
    ticker.init = value >>> 0;
    ticker.start = now;
  }
}
