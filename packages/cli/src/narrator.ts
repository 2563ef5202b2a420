import { styleText } from 'node:util';

/** Where a narrator writes: a terminal, a pipe or a test's list. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows how far long work has come. */
export interface Progress {
  /** `done` of `total` in whatever unit the work counts; `what` says what is being done now. */
  report(done: number, total: number, what?: string): void;
}

/** Tells a story to a person: a line a step with what was proved, a bar where it takes over a second. */
export interface Narrator {
  heading(text: string): void;
  /** Runs `work` as one step and prints its title, its proofs and how long it took. */
  step<T extends { readonly proved: readonly string[] }>(
    number: number,
    title: string,
    work: (progress: Progress) => Promise<T>,
  ): Promise<T>;
  /** A block of text as it is, indented under the step before it. */
  block(text: string): void;
  note(text: string): void;
}

const BAR_WIDTH = 24;
/** A step that is done sooner shows no bar. */
const BAR_AFTER_MILLISECONDS = 1_000;
const REDRAW_MILLISECONDS = 100;

/** How far work has come; a block that wanders where the work cannot say (`total` 0). */
function bar(done: number, total: number, elapsed: number): string {
  if (total === 0) {
    const at = Math.floor(elapsed / REDRAW_MILLISECONDS) % (BAR_WIDTH - 3);
    return `${'░'.repeat(at)}███${'░'.repeat(BAR_WIDTH - 3 - at)}`;
  }
  const filled = Math.min(BAR_WIDTH, Math.round((done / total) * BAR_WIDTH));
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
}

/** One line that is redrawn in place on a terminal; says nothing on a pipe. */
class ProgressLine implements Progress {
  readonly #output: Output;
  readonly #title: string;
  readonly #began = performance.now();
  #done = 0;
  #total = 0;
  #what = '';
  #isDrawn = false;
  readonly #timer: NodeJS.Timeout | null;

  constructor(output: Output, title: string) {
    this.#output = output;
    this.#title = title;
    this.#timer = output.isTTY ? setInterval(() => this.#draw(), REDRAW_MILLISECONDS) : null;
    this.#timer?.unref();
  }

  report(done: number, total: number, what = ''): void {
    this.#done = done;
    this.#total = total;
    this.#what = what;
  }

  #draw(): void {
    const elapsed = performance.now() - this.#began;
    if (elapsed < BAR_AFTER_MILLISECONDS) return;
    const line = `   ${this.#title} ${bar(this.#done, this.#total, elapsed)} ${(elapsed / 1000).toFixed(0)} s ${this.#what}`;
    this.#output.write(`\r${line.slice(0, 100)}\u001B[K`);
    this.#isDrawn = true;
  }

  end(): void {
    if (this.#timer) clearInterval(this.#timer);
    if (this.#isDrawn) this.#output.write('\r\u001B[K');
  }
}

/** A narrator for people. Colour only where the output is a terminal. */
export function createNarrator(output: Output): Narrator {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    output.isTTY ? styleText(style, text, { validateStream: false }) : text;
  const line = (text: string): void => void output.write(`${text}\n`);

  return {
    heading: (text) => line(`\n${paint('bold', text)}\n`),
    note: (text) => line(text),
    block: (text) => {
      for (const row of text.split('\n')) line(`      ${paint('dim', row)}`);
    },
    async step(number, title, work) {
      const label = `${String(number).padStart(2)} ${title}`;
      const progress = new ProgressLine(output, label);
      const began = performance.now();
      const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;
      try {
        const result = await work(progress);
        progress.end();
        line(`${paint('green', '✓')} ${paint('bold', label)} ${paint('dim', seconds())}`);
        for (const proof of result.proved) line(`      ${proof}`);
        return result;
      } catch (error) {
        progress.end();
        line(`${paint('red', '✗')} ${paint('bold', label)} ${paint('dim', seconds())}`);
        throw error;
      }
    },
  };
}
