import { ADC_BITS, ADC_CHANNELS, ADC_REFERENCES, ADC_REGISTERS } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';
import type { PeripheralWiring } from './interrupts.ts';

/** What is wired to a channel: its voltage now. */
export type AnalogSource = () => number;

const FIFO = 16;
/** The FIFO's pointers have five bits each: how many samples were taken, and from b5 on how many there have been. */
const POINTER_BITS = 5;
const POINTER_MASK = 31;
const DATA_READY = 1;
/** CTL0 */
const RUN = 1;
const PERIODIC = 1 << 8;
/** PERIOD counts cycles of the converter's clock, less one. */
const CLOCK_HZ = 2_000_000;
/** CTL3: 1.8 V. */
const LOW_REFERENCE = 1 << 31;
/** Shortest time in seconds between two looks on a clock that is not exact. */
const COARSE = 0.001;

/**
 * The converter: samples the channels of CTL0's map when it is started, 12 bits of the reference voltage. Periodic, it
 * samples them again every PERIOD + 1 cycles of 2 MHz, until it is stopped; a full FIFO loses what comes.
 */
export class Adc implements Peripheral {
  readonly #sources = new Map<number, AnalogSource>();
  readonly #registers = new Map<number, number>();
  readonly #wiring: PeripheralWiring;
  #samples: number[] = [];
  #taken = 0;
  #cancel: () => void = () => {};

  constructor(wiring: PeripheralWiring) {
    this.#wiring = wiring;
  }

  attach(channel: number, source: AnalogSource): void {
    this.#sources.set(channel, source);
  }

  read(offset: number): number {
    switch (offset) {
      case ADC_REGISTERS.FIFO: {
        if (this.#samples.length > 0) this.#taken++;
        const sample = this.#samples.shift() ?? 0;
        this.#signal();
        return sample;
      }
      case ADC_REGISTERS.LSR:
        return this.#samples.length > 0 ? DATA_READY : 0;
      case ADC_REGISTERS.FIFO_POINTER:
        return (
          (this.#taken & POINTER_MASK) |
          (((this.#taken + this.#samples.length) & POINTER_MASK) << POINTER_BITS)
        );
      default:
        return this.#registers.get(offset) ?? 0;
    }
  }

  write(offset: number, value: number): void {
    if (offset === ADC_REGISTERS.FIFO || offset === ADC_REGISTERS.LSR) return;
    this.#registers.set(offset, value);
    if (offset === ADC_REGISTERS.CTL0) this.#control(value);
    this.#signal();
  }

  reset(): void {
    this.#cancel();
    this.#registers.clear();
    this.#samples = [];
    this.#taken = 0;
    this.#signal();
  }

  #control(value: number): void {
    this.#cancel();
    if ((value & RUN) === 0) return;
    this.#convert(value >>> 16);
    if ((value & PERIODIC) !== 0) this.#repeat(value >>> 16);
  }

  #repeat(map: number): void {
    const timeline = this.#wiring.timeline();
    if (timeline === null) return;
    const period = ((this.#registers.get(ADC_REGISTERS.PERIOD) ?? 0) + 1) / CLOCK_HZ;
    const rounds = timeline.isExact ? 1 : Math.ceil(COARSE / period);
    this.#cancel = timeline.after(rounds * period, () => {
      // More than the FIFO holds is lost either way.
      for (let round = 0; round < Math.min(rounds, FIFO); round++) {
        this.#convert(map);
        this.#signal();
      }
      this.#repeat(map);
    });
  }

  #convert(map: number): void {
    const isLow = ((this.#registers.get(ADC_REGISTERS.CTL3) ?? 0) & LOW_REFERENCE) !== 0;
    const reference = isLow ? 1 : (this.#registers.get(ADC_REGISTERS.REFERENCE) ?? 0) & 1;
    const full = (ADC_REFERENCES[reference] ?? ADC_REFERENCES[0]) / 1000;
    const most = 2 ** ADC_BITS - 1;
    for (let channel = 0; channel < ADC_CHANNELS; channel++) {
      if ((map & (1 << channel)) === 0 || this.#samples.length === FIFO) continue;
      const volts = this.#sources.get(channel)?.() ?? 0;
      const value = Math.min(most, Math.max(0, Math.round((volts / full) * most)));
      this.#samples.push((value << 4) | channel);
    }
  }

  #signal(): void {
    const { interrupt, request } = this.#wiring;
    // What a single round has left below the trigger level is told as a 16550 tells it, when nothing more comes.
    const isPeriodic = ((this.#registers.get(ADC_REGISTERS.CTL0) ?? 0) & PERIODIC) !== 0;
    const level = isPeriodic ? Math.max(1, this.#registers.get(ADC_REGISTERS.TRIGGER) ?? 0) : 1;
    interrupt(this.#samples.length >= level && ((this.#registers.get(ADC_REGISTERS.IER) ?? 0) & 1) !== 0);
    request(
      'receive',
      this.#samples.length > 0 && ((this.#registers.get(ADC_REGISTERS.DMA_EN) ?? 0) & 1) !== 0,
    );
  }
}
