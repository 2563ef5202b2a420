import type { SymbolFunction, SymbolLine } from '@sevenfold/formats';
import { lineAddresses } from './line-table.ts';
import { codeRange, customSection, functionNames } from './wasm-sections.ts';

/** Asks the symbolizer for addresses (from the start of the code section): answers in its LLVM style, a blank line after each. */
export type Symbolize = (addresses: readonly number[]) => Promise<string>;

interface Place {
  readonly file: string;
  readonly line: number;
  readonly function: string;
}

/** What wasm-ld and clang call `main`, by how it takes its arguments. */
const MAIN_NAMES: readonly string[] = ['__main_argc_argv', '__main_void', '__original_main'];
const sourceName = (name: string): string => (MAIN_NAMES.includes(name) ? 'main' : name);

/** `file:line:column`, where the file's name may hold colons itself. */
const POSITION = /^(.*):(\d+):\d+$/;

/** The innermost place of one answer: its first two lines; null when the symbolizer knows none. */
function placeOf(answer: string, shorten: (path: string) => string): Place | null {
  const [name = '', position = ''] = answer.split('\n');
  const [, file = '??', line = '0'] = POSITION.exec(position) ?? [];
  if (file === '??' || file === '' || line === '0') return null;
  return { file: shorten(file), line: Number(line), function: sourceName(name) };
}

/**
 * Names and lines for byte offsets of the shipped module: `linked` is the linker's output with names and DWARF,
 * `shipped` the same without custom sections, whose code section is byte for byte the same.
 */
export async function makeSymbols(
  linked: Uint8Array,
  shipped: Uint8Array,
  symbolize: Symbolize,
  shorten: (path: string) => string,
): Promise<{ readonly functions: readonly SymbolFunction[]; readonly lines: readonly SymbolLine[] }> {
  const functions = functionNames(linked).map(({ index, name }) => ({ index, name: sourceName(name) }));
  const debugLine = customSection(linked, '.debug_line');
  if (debugLine === null) return { functions, lines: [] };
  const code = codeRange(linked);
  const { starts, ends } = lineAddresses(debugLine, code.end - code.start);
  const answers = (await symbolize(starts)).split('\n\n');
  const places = new Map<number, Place | null>(ends.map((address) => [address, null]));
  starts.forEach((address, index) => {
    places.set(address, placeOf(answers[index] ?? '', shorten));
  });
  const shift = codeRange(shipped).start;
  const lines: SymbolLine[] = [];
  for (const [address, place] of [...places].sort(([a], [b]) => a - b)) {
    const row = place ?? { file: '', line: 0, function: '' };
    const last = lines.at(-1);
    const isSame = last?.file === row.file && last.line === row.line && last.function === row.function;
    if (!isSame) lines.push({ offset: address + shift, ...row });
  }
  return { functions, lines };
}
