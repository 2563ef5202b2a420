import { INTERRUPT_LINES, ISU_REGIONS, MAILBOX_REGIONS, type BusRegion } from '@sevenfold/formats';

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
  ...MAILBOX_REGIONS.map((region, index): [number, BusRegion] => [INTERRUPT_LINES.mailbox + index, region]),
]);

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
