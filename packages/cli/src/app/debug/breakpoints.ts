import type { DebugInfo } from '@sevenfold/sdk';
import { numberOf, textOf } from './requests.ts';

interface SetBreakpoint {
  readonly addresses: readonly number[];
  readonly condition: string | null;
}

/** The breakpoints that an editor has set, by file. */
export class Breakpoints {
  readonly #info: DebugInfo;
  readonly #compiledName: (path: string) => string | null;
  readonly #byFile = new Map<string, readonly SetBreakpoint[]>();
  #count = 0;

  constructor(info: DebugInfo, compiledName: (path: string) => string | null) {
    this.#info = info;
    this.#compiledName = compiledName;
  }

  /** All of one file, in place of those of before; gives what each has become, in order. */
  set(path: string, untrusted: readonly Readonly<Record<string, unknown>>[]): readonly object[] {
    const file = this.#compiledName(path);
    const found: SetBreakpoint[] = [];
    const answers = untrusted.map((one) => {
      const line = numberOf(one, 'line');
      const condition = 'condition' in one && one['condition'] !== '' ? textOf(one, 'condition') : null;
      const stops = file === null ? null : this.#info.stopsFor(file, line);
      this.#count += 1;
      if (stops === null) {
        const message = this.#isKnown(file)
          ? `There is no code at or behind line ${line}.`
          : 'This file is not in the app.';
        return { id: this.#count, verified: false, line, message };
      }
      found.push({ addresses: stops.addresses, condition });
      return { id: this.#count, verified: true, line: stops.line, source: { path } };
    });
    this.#byFile.set(path, found);
    return answers;
  }

  #isKnown(file: string | null): boolean {
    return this.#info.rows.some((row) => row.file === file);
  }

  get addresses(): readonly number[] {
    return [...new Set([...this.#byFile.values()].flat().flatMap(({ addresses }) => addresses))];
  }

  /** The condition of the breakpoint at an address; null: it always stops. */
  conditionAt(address: number): string | null {
    const here = [...this.#byFile.values()].flat().filter(({ addresses }) => addresses.includes(address));
    return here.some(({ condition }) => condition === null) ? null : (here[0]?.condition ?? null);
  }
}
