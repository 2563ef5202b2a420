import type { SourcePlace, SymbolLine } from '@sevenfold/formats';
import { lineAddresses } from '../toolchain/line-table.ts';
import { isSamePlace } from '../toolchain/symbols.ts';
import { elfSection } from './elf-sections.ts';

/** Asks `addr2line -a -f -i` for addresses, and gives its output. */
export type AddressesToLines = (addresses: readonly number[]) => Promise<string>;

const ADDRESS = /^0x([0-9a-f]+)$/;
/** `file:line`, with what the compiler adds where one line is several pieces of code. */
const POSITION = /^(.*):(\d+)(?: \(discriminator \d+\))?$/;

/** Output of addr2line: for each address a line with it, then two lines for each place, the innermost first. */
function parseAnswers(output: string): ReadonlyMap<number, readonly SourcePlace[]> {
  const places = new Map<number, readonly SourcePlace[]>();
  const lines = output.split('\n');
  let here: SourcePlace[] = [];
  for (let at = 0; at < lines.length; at++) {
    const address = ADDRESS.exec(lines[at] ?? '')?.[1];
    if (address !== undefined) {
      here = [];
      places.set(Number.parseInt(address, 16), here);
      continue;
    }
    const [, file = '??', line = '0'] = POSITION.exec(lines[at + 1] ?? '') ?? [];
    if (file !== '??' && line !== '0')
      here.push({ file: file.replace(/^\.\//, ''), line: Number(line), function: lines[at] ?? '' });
    at += 1;
  }
  return places;
}

/** Lines by address of a linked program with DWARF, as in error reports: what is not known is a row of its own. */
export async function makeElfSymbols(
  linked: Uint8Array,
  resolve: AddressesToLines,
): Promise<readonly SymbolLine[]> {
  const debugLine = elfSection(linked, '.debug_line');
  if (debugLine === null) return [];
  const { starts, ends } = lineAddresses(debugLine, 0xffff_ffff);
  const answers = parseAnswers(await resolve(starts));
  const places = new Map<number, readonly SourcePlace[]>(ends.map((address) => [address, []]));
  for (const address of starts) places.set(address, answers.get(address) ?? []);
  const rows: SymbolLine[] = [];
  for (const [offset, [innermost, ...inlinedInto]] of [...places].sort(([a], [b]) => a - b)) {
    const row = {
      ...(innermost ?? { file: '', line: 0, function: '' }),
      ...(inlinedInto.length === 0 ? {} : { inlinedInto }),
    };
    const last = rows.at(-1);
    if (last === undefined || !isSamePlace(last, row)) rows.push({ offset, ...row });
  }
  return rows;
}
