const MOST_LINES = 4000;

/** The lines of all layers: what a terminal on the service UART would show. */
export class BootLog {
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();

  get lines(): readonly string[] {
    return this.#lines;
  }

  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes one line of a layer. The prefix is ours: no layer can speak for another, nor write two lines as one. */
  write(layer: string, text: string): void {
    const line = `[${layer}] ${text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, 1000)}`;
    if (this.#lines.length === MOST_LINES) this.#lines.shift();
    this.#lines.push(line);
    for (const listener of this.#listeners) listener(line);
  }
}
