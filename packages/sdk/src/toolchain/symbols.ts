import type { SourcePlace, SymbolFunction, SymbolLine } from '@sevenfold/formats';
import { lineAddresses } from './line-table.ts';
import { codeRange, customSection, functionNames } from './wasm-sections.ts';

/** Asks the symbolizer for addresses (from the start of the code section): answers in its LLVM style, a blank line after each. */
export type Symbolize = (addresses: readonly number[]) => Promise<string>;

/** What wasm-ld and clang call `main`, by how it takes its arguments. */
const MAIN_NAMES: readonly string[] = ['__main_argc_argv', '__main_void', '__original_main'];
const sourceName = (name: string): string => (MAIN_NAMES.includes(name) ? 'main' : name);

/** `file:line:column`, where the file's name may hold colons itself. */
const POSITION = /^(.*):(\d+):\d+$/;

/** The places of one answer, innermost first: two lines each; empty when the symbolizer knows none. */
function placesOf(answer: string, shorten: (path: string) => string): readonly SourcePlace[] {
  const lines = answer.split('\n');
  const places: SourcePlace[] = [];
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [, file = '??', line = '0'] = POSITION.exec(lines[at + 1] ?? '') ?? [];
    if (file === '??' || file === '' || line === '0') continue;
    places.push({ file: shorten(file), line: Number(line), function: sourceName(lines[at] ?? '') });
  }
  return places;
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
  // Addresses are all that is taken from here: what stands there the symbolizer knows better, with what was inlined.
  const { starts, ends } = lineAddresses(debugLine, code.end - code.start);
  const answers = (await symbolize(starts)).split('\n\n');
  const places = new Map<number, readonly SourcePlace[]>(ends.map((address) => [address, []]));
  starts.forEach((address, index) => {
    places.set(address, placesOf(answers[index] ?? '', shorten));
  });
  const shift = codeRange(shipped).start;
  const lines: SymbolLine[] = [];
  for (const [address, [innermost, ...inlinedInto]] of [...places].sort(([a], [b]) => a - b)) {
    const row = {
      ...(innermost ?? { file: '', line: 0, function: '' }),
      ...(inlinedInto.length === 0 ? {} : { inlinedInto }),
    };
    const last = lines.at(-1);
    if (last === undefined || !isSamePlace(last, row)) lines.push({ offset: address + shift, ...row });
  }
  return { functions, lines };
}

/** Whether two rows say the same of their code. */
export function isSamePlace(one: Omit<SymbolLine, 'offset'>, other: Omit<SymbolLine, 'offset'>): boolean {
  const chain = ({ file, line, function: name, inlinedInto = [] }: Omit<SymbolLine, 'offset'>): string =>
    [{ file, line, function: name }, ...inlinedInto]
      .map((place) => `${place.file}:${place.line} ${place.function}`)
      .join('\n');
  return chain(one) === chain(other);
}
