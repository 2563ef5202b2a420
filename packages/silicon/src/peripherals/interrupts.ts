import {
  GPIO_GROUP_REGIONS,
  I2S_REGIONS,
  INTERRUPT_LINES,
  ISU_REGIONS,
  MAILBOX_REGIONS,
  type BusRegion,
} from '@sevenfold/formats';
import type { Timeline } from '../timeline.ts';

/** Interrupt lines of one serial unit are four after those of the unit before. */
export const LINES_PER_UNIT = 4;

/** Whose interrupt each line is: only who may read that region hears it. */
export const LINE_REGIONS: ReadonlyMap<number, BusRegion> = new Map<number, BusRegion>([
  ...ISU_REGIONS.flatMap((region, index) =>
    [INTERRUPT_LINES.i2c, INTERRUPT_LINES.spi, INTERRUPT_LINES.uart].map((first): [number, BusRegion] => [
      first + LINES_PER_UNIT * index,
      region,
    ]),
  ),
  [INTERRUPT_LINES.adc, 'adc'],
  ...I2S_REGIONS.map((region, index): [number, BusRegion] => [INTERRUPT_LINES.i2s + index, region]),
  ...GPIO_GROUP_REGIONS.map((region, index): [number, BusRegion] => [
    INTERRUPT_LINES.gpioCounter + index,
    region,
  ]),
  ...MAILBOX_REGIONS.map((region, index): [number, BusRegion] => [INTERRUPT_LINES.mailbox + index, region]),
]);

/** Requests for DMA are numbered as its channels; SPI, which shares channels with I2C, is this much above. */
export const SPI_REQUESTS = 64;
/** First channels: transmit, then receive one above; unit n adds 2 · n. */
export const REQUESTS = { i2c: 0, uart: 13, i2s: 25, adc: 29 } as const;

/** Whose request each is: only a core that may read that region hears it. */
export const REQUEST_REGIONS: ReadonlyMap<number, BusRegion> = new Map<number, BusRegion>([
  ...ISU_REGIONS.flatMap((region, index) =>
    [REQUESTS.i2c, REQUESTS.uart, SPI_REQUESTS].flatMap((first): [number, BusRegion][] => [
      [first + 2 * index, region],
      [first + 2 * index + 1, region],
    ]),
  ),
  ...I2S_REGIONS.flatMap((region, index): [number, BusRegion][] => [
    [REQUESTS.i2s + 2 * index, region],
    [REQUESTS.i2s + 2 * index + 1, region],
  ]),
  [REQUESTS.adc, 'adc'],
]);

/** What a peripheral is wired to. */
export interface PeripheralWiring {
  readonly interrupt: (isHigh: boolean) => void;
  /** Asks for transfers by DMA: there is room to transmit, or something was received. */
  readonly request: (direction: 'transmit' | 'receive', isHigh: boolean) => void;
  /** Where its time comes from; without one everything happens at once. */
  readonly timeline: () => Timeline | null;
}

/** Told of every line that rises or falls. */
type LineListener = (line: number, isHigh: boolean) => void;

/** The interrupt lines of the shared peripherals: level, and who watches them. */
export class InterruptLines {
  readonly #high = new Set<number>();
  readonly #listeners = new Set<LineListener>();

  isHigh(line: number): boolean {
    return this.#high.has(line);
  }

  set(line: number, isHigh: boolean): void {
    if (this.#high.has(line) === isHigh) return;
    if (isHigh) this.#high.add(line);
    else this.#high.delete(line);
    for (const listener of this.#listeners) listener(line, isHigh);
  }

  /** Watches all lines; returns the function that ends it. */
  onChange(listener: LineListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
