import { CRYSTAL_HZ } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';
import type { PeripheralWiring } from './interrupts.ts';

/** Registers from the start of a GPIO group's counter block (real-time-cores.md §1.5). */
const REGISTERS = {
  STATIC_CTRL_3: 0x0c,
  DYNAMIC_CTRL: 0x10,
  RST_VAL: 0x20,
  LOW_LIMIT: 0x24,
  HIGH_LIMIT: 0x28,
  INT_EN: 0x30,
  INT_STS_CLR: 0x34,
  INT_STS: 0x38,
  CAP_FIFO_STS: 0x40,
  CAP_VALUE_0: 0x44,
  CAP_VALUE_1: 0x48,
  COUNTER: 0x4c,
} as const;
/** DYNAMIC_CTRL */
const COUNTS = 1;
const CAPTURES = 1 << 1;
const RESETS = { counter: 1 << 16, capture: 1 << 17 } as const;
/** INT_STS; those of the second capture FIFO are one bit higher. */
const STATUS = { low: 1, high: 2, pinReset: 4, overflow: 1 << 8, underflow: 1 << 9 } as const;
const CAPTURE_STATUS = { full: 1 << 12, falling: 1 << 16, rising: 1 << 24 } as const;
const FIFO = 8;
const LAST_HELD = 0x2c;
const WORD = 2 ** 32;

type Mode = 'direction' | 'upDown' | 'quadrature';
const MODES: readonly Mode[] = ['direction', 'upDown', 'quadrature', 'quadrature'];

/**
 * The counter block of a GPIO group. Its event counter goes up and down with pins 0 and 1: by the direction that pin 1
 * gives, by opposite pins, or in quadrature. Its capture counter writes down when pins 0 and 1 changed, in cycles of
 * the crystal. Pin 2 can reset both. What limits and saturation modes do beyond interrupting is our reading: with any
 * saturation mode the counter stays within its limits. Glitches are not filtered.
 */
export class GpioCounter implements Peripheral {
  readonly #wiring: Pick<PeripheralWiring, 'interrupt' | 'timeline'>;
  readonly #registers = new Map<number, number>();
  #levels = 0;
  #count = 0;
  #status = 0;
  #captured: [number[], number[]] = [[], []];
  #captureFrom = 0;

  constructor(wiring: Pick<PeripheralWiring, 'interrupt' | 'timeline'>) {
    this.#wiring = wiring;
  }

  #get(register: number): number {
    return this.#registers.get(register) ?? 0;
  }

  read(offset: number): number {
    switch (offset) {
      case REGISTERS.INT_STS:
        return this.#status;
      case REGISTERS.CAP_FIFO_STS:
        return this.#captured[0].length | (this.#captured[1].length << 4);
      case REGISTERS.CAP_VALUE_0:
        return this.#captured[0].shift() ?? 0;
      case REGISTERS.CAP_VALUE_1:
        return this.#captured[1].shift() ?? 0;
      case REGISTERS.COUNTER:
        return this.#count;
      default:
        return this.#get(offset);
    }
  }

  write(offset: number, value: number): void {
    const isKnown = offset <= LAST_HELD || offset === REGISTERS.INT_EN || offset === REGISTERS.INT_STS_CLR;
    if (!isKnown) return;
    this.#registers.set(offset, value);
    if (offset === REGISTERS.INT_STS_CLR) this.#status &= ~value;
    if (offset === REGISTERS.DYNAMIC_CTRL) {
      if ((value & RESETS.counter) !== 0) this.#count = this.#get(REGISTERS.RST_VAL);
      if ((value & RESETS.capture) !== 0) this.#restartCapture();
    }
    this.#show();
  }

  reset(): void {
    this.#registers.clear();
    this.#count = 0;
    this.#status = 0;
    this.#restartCapture();
    this.#show();
  }

  #restartCapture(): void {
    this.#captured = [[], []];
    this.#captureFrom = this.#wiring.timeline()?.now() ?? 0;
  }

  /** Pin `index` of the group has another level. */
  pinChanged(index: number, level: 0 | 1): void {
    const before = this.#levels;
    this.#levels = level === 1 ? before | (1 << index) : before & ~(1 << index);
    if (this.#levels === before || index > 2) return;
    if (index === 2) this.#pinReset(level);
    else {
      const control = this.#get(REGISTERS.DYNAMIC_CTRL);
      if ((control & COUNTS) !== 0) this.#step(this.#direction(index, level));
      if ((control & CAPTURES) !== 0) this.#capture(index === 0 ? 0 : 1, level);
    }
    this.#show();
  }

  /** Pin 2 at its level resets what STATIC_CTRL_3 says. */
  #pinReset(level: 0 | 1): void {
    const control = this.#get(REGISTERS.STATIC_CTRL_3);
    if ((control & 1) !== level || (control & 6) === 0) return;
    if ((control & 4) !== 0) this.#count = this.#get(REGISTERS.RST_VAL);
    if ((control & 2) !== 0) this.#restartCapture();
    this.#status |= STATUS.pinReset;
  }

  /** 1, -1, or 0 where this change is no event. */
  #direction(index: number, level: 0 | 1): number {
    const control = this.#get(REGISTERS.STATIC_CTRL_3);
    const mode = MODES[(control >>> 18) & 3] ?? 'direction';
    const isInverted = ((control >>> (20 + MODES.indexOf(mode))) & 1) !== 0;
    const sign = isInverted ? -1 : 1;
    if (!isEdge((control >>> 16) & 3, level)) return 0;
    const other = (this.#levels >>> (1 - index)) & 1;
    switch (mode) {
      case 'direction':
        return index === 1 ? 0 : other === 1 ? sign : -sign;
      case 'upDown':
        return index === 0 ? sign : -sign;
      case 'quadrature':
        // Pin 0 before pin 1 is up.
        return index === 1 ? 0 : other === level ? -sign : sign;
      default:
        return mode satisfies never;
    }
  }

  #step(by: number): void {
    if (by === 0) return;
    const [low, high] = [this.#get(REGISTERS.LOW_LIMIT), this.#get(REGISTERS.HIGH_LIMIT)];
    const saturates = ((this.#get(REGISTERS.STATIC_CTRL_3) >>> 28) & 7) !== 0;
    const next = this.#count + by;
    if (saturates && (next < low || next > high)) return;
    if (next < 0) this.#status |= STATUS.underflow;
    if (next >= WORD) this.#status |= STATUS.overflow;
    this.#count = (next + WORD) % WORD;
    if (by < 0 && this.#count === low) this.#status |= STATUS.low;
    if (by > 0 && this.#count === high) this.#status |= STATUS.high;
  }

  #capture(index: 0 | 1, level: 0 | 1): void {
    const edge = (this.#get(REGISTERS.STATIC_CTRL_3) >>> (8 + 2 * index)) & 3;
    if (!isEdge(edge, level)) return;
    const fifo = this.#captured[index];
    const now = this.#wiring.timeline()?.now() ?? 0;
    if (fifo.length < FIFO) fifo.push(Math.floor((now - this.#captureFrom) * CRYSTAL_HZ) % WORD);
    if (fifo.length === FIFO) this.#status |= CAPTURE_STATUS.full << index;
    this.#status |= (level === 1 ? CAPTURE_STATUS.rising : CAPTURE_STATUS.falling) << index;
  }

  #show(): void {
    this.#wiring.interrupt((this.#status & this.#get(REGISTERS.INT_EN)) !== 0);
  }
}

/** Whether a change to `level` is an edge of a type: 0 rising, 1 falling, 2 both. */
const isEdge = (type: number, level: 0 | 1): boolean => type >= 2 || type === 1 - level;
