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
