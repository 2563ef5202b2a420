import { ADC_BITS, ADC_CHANNELS, ADC_REFERENCES, ADC_REGISTERS } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';

/** What is wired to a channel: its voltage now. */
export type AnalogSource = () => number;

const FIFO = 16;
const DATA_READY = 1;

/** The converter: samples the channels of CTL0's map when it is started, 12 bits of the reference voltage. */
export class Adc implements Peripheral {
  readonly #sources = new Map<number, AnalogSource>();
  readonly #registers = new Map<number, number>();
  readonly #interrupt: (isHigh: boolean) => void;
  #samples: number[] = [];

  constructor(interrupt: (isHigh: boolean) => void) {
    this.#interrupt = interrupt;
  }

  attach(channel: number, source: AnalogSource): void {
    this.#sources.set(channel, source);
  }

  read(offset: number): number {
    switch (offset) {
      case ADC_REGISTERS.FIFO: {
        const sample = this.#samples.shift() ?? 0;
        this.#signal();
        return sample;
      }
      case ADC_REGISTERS.LSR:
        return this.#samples.length > 0 ? DATA_READY : 0;
      case ADC_REGISTERS.FIFO_POINTER:
        return this.#samples.length;
      default:
        return this.#registers.get(offset) ?? 0;
    }
  }

  write(offset: number, value: number): void {
    if (offset === ADC_REGISTERS.FIFO || offset === ADC_REGISTERS.LSR) return;
    this.#registers.set(offset, value);
    if (offset === ADC_REGISTERS.CTL0 && (value & 1) !== 0) this.#convert(value >>> 16);
    this.#signal();
  }

  reset(): void {
    this.#registers.clear();
    this.#samples = [];
    this.#signal();
  }

  #convert(map: number): void {
    const reference = (this.#registers.get(ADC_REGISTERS.REFERENCE) ?? 0) & 1;
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
    this.#interrupt(this.#samples.length > 0 && ((this.#registers.get(ADC_REGISTERS.IER) ?? 0) & 1) !== 0);
  }
}
