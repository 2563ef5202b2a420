import { decodeCbor, encodeCbor } from '../cbor.ts';
import { cborMap, CborMapReader, readBytes, readText, readUint } from '../cbor-reader.ts';
import { FormatError } from '../errors.ts';
import { packUnwindRows, unpackUnwindRows, UNWIND_WORDS, type UnwindRow } from './unwind.ts';

/** Source of the code from `offset` on, up to the offset of the next row. */
export interface SymbolLine {
  /** Byte offset in the module file. */
  readonly offset: number;
  readonly file: string;
  /** From 1; 0 says that from here on no source is known. */
  readonly line: number;
  /** Name of the function, an inlined one included. */
  readonly function: string;
  /** Where that was inlined, innermost first; absent: nowhere. */
  readonly inlinedInto?: readonly SourcePlace[];
}

/** The name of a function of the module. */
export interface SymbolFunction {
  /** Index in the module's function space. */
  readonly index: number;
  readonly name: string;
}

/** What turns frames of a report into source lines: made when an app is built, kept by the service. */
export interface SymbolMap {
  /** Says which build this belongs to, such as an image id. */
  readonly buildId?: string;
  /** Ascending by index, each once. */
  readonly functions: readonly SymbolFunction[];
  /** Ascending by offset, each once. */
  readonly lines: readonly SymbolLine[];
  /** Of a program for a real-time core, whose offsets are addresses: ascending by offset, each once. */
  readonly unwind?: readonly UnwindRow[];
}

/** Where a frame is in the source. */
export interface SourcePlace {
  readonly function: string;
  readonly file: string;
  readonly line: number;
}

export const SYMBOL_MAP_LIMITS = {
  maxBytes: 8 * 1024 * 1024,
  maxNames: 65_536,
  maxName: 1024,
  maxFunctions: 65_536,
  maxLines: 500_000,
  maxUnwindRows: 65_536,
} as const;
const LIMITS = SYMBOL_MAP_LIMITS;
const MAX_OFFSET = 0xffffffff;

/**
 * Names are kept once, in `texts`; `functions` is pairs (index, text), `lines` is groups of four
 * (offset - offset before, file text, line, function text), packed into byte strings of u32, little-endian; `inlined`
 * is groups of four (number of the line, file text, line, function text), in order, for what lines were inlined into;
 * `unwind` is groups of `UNWIND_WORDS`.
 */
const MAP_KEYS = { buildId: 1, texts: 2, functions: 3, lines: 4, inlined: 5, unwind: 6 } as const;

function packWords(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word, true);
  return bytes;
}

function unpackWords(bytes: Uint8Array, field: string, group: number): readonly number[] {
  if (bytes.length % (group * 4) !== 0) {
    throw new FormatError('WrongLength', `${field} has ${bytes.length} bytes.`, {
      field,
      rule: `a multiple of ${group * 4}`,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4, true));
}

function checkAscending(values: readonly number[], field: string): void {
  for (const [index, value] of values.entries()) {
    if (value <= (values[index - 1] ?? -1) || value > MAX_OFFSET) {
      throw new FormatError('NotSorted', `${field}.${index} is out of order.`, {
        field: `${field}.${index}`,
        rule: 'ascending, each once, at most 2^32 - 1',
      });
    }
  }
}

/** Encodes a symbol map; what it would refuse to decode is refused here already. */
export function encodeSymbolMap(map: SymbolMap): Uint8Array<ArrayBuffer> {
  const numbers = new Map<string, number>();
  const textNumber = (text: string): number => {
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  };
  checkAscending(
    map.functions.map((each) => each.index),
    'functions',
  );
  checkAscending(
    map.lines.map((each) => each.offset),
    'lines',
  );
  const functions = map.functions.flatMap((each) => [each.index, textNumber(each.name)]);
  const lines: number[] = [];
  const inlined: number[] = [];
  const placeWords = (place: SourcePlace): number[] => {
    const line = readUint(place.line, 'lines.line', { max: MAX_OFFSET });
    return [textNumber(place.file), line, textNumber(place.function)];
  };
  let before = 0;
  for (const [number, row] of map.lines.entries()) {
    lines.push(row.offset - before, ...placeWords(row));
    for (const place of row.inlinedInto ?? []) inlined.push(number, ...placeWords(place));
    before = row.offset;
  }
  const encoded = encodeCbor(
    cborMap(MAP_KEYS, {
      buildId: map.buildId,
      texts: [...numbers.keys()],
      functions: packWords(functions),
      lines: packWords(lines),
      inlined: inlined.length === 0 ? undefined : packWords(inlined),
      unwind: map.unwind === undefined ? undefined : packWords(packUnwindRows(map.unwind)),
    }),
  );
  decodeSymbolMap(encoded);
  return encoded;
}

/** Decodes a symbol map. Bounded in bytes, names, functions and rows. */
export function decodeSymbolMap(untrusted: Uint8Array): SymbolMap {
  const reader = new CborMapReader(
    decodeCbor(untrusted, { maxBytes: LIMITS.maxBytes, maxDepth: 2 }),
    MAP_KEYS,
  );
  const buildId = reader.optional('buildId', () => reader.text('buildId', 128));
  const texts = reader.array('texts', LIMITS.maxNames, (item, field) =>
    readText(item, field, LIMITS.maxName),
  );
  const words = (
    name: 'functions' | 'lines' | 'inlined' | 'unwind',
    group: number,
    most: number,
  ): readonly number[] =>
    unpackWords(readBytes(reader.value(name), name, { max: most * group * 4 }), name, group);
  const functionWords = words('functions', 2, LIMITS.maxFunctions);
  const lineWords = words('lines', 4, LIMITS.maxLines);
  const unwindWords = reader.optional('unwind', () => words('unwind', UNWIND_WORDS, LIMITS.maxUnwindRows));
  const inlinedWords = reader.optional('inlined', () => words('inlined', 4, LIMITS.maxLines)) ?? [];
  reader.end();
  const text = (number: number | undefined, field: string): string => {
    const found = texts[number ?? -1];
    if (found === undefined) {
      throw new FormatError('ValueOutOfRange', `${field} names a text that is not there.`, { field });
    }
    return found;
  };
  const functions: SymbolFunction[] = [];
  for (let at = 0; at < functionWords.length; at += 2) {
    functions.push({ index: functionWords[at] ?? 0, name: text(functionWords[at + 1], 'functions') });
  }
  const callers = readInlined(inlinedWords, lineWords.length / 4, text);
  const lines: SymbolLine[] = [];
  let offset = 0;
  for (let at = 0; at < lineWords.length; at += 4) {
    offset += lineWords[at] ?? 0;
    const inlinedInto = callers.get(at / 4);
    lines.push({
      offset,
      file: text(lineWords[at + 1], 'lines'),
      line: lineWords[at + 2] ?? 0,
      function: text(lineWords[at + 3], 'lines'),
      ...(inlinedInto === undefined ? {} : { inlinedInto }),
    });
  }
  checkAscending(
    functions.map((each) => each.index),
    'functions',
  );
  checkAscending(
    lines.map((each) => each.offset),
    'lines',
  );
  return {
    ...(buildId === undefined ? {} : { buildId }),
    functions,
    lines,
    ...(unwindWords === undefined ? {} : { unwind: unpackUnwindRows(unwindWords) }),
  };
}

/** The places of `inlined` by the number of their line; numbers in order, each of a line that is there. */
function readInlined(
  words: readonly number[],
  lines: number,
  text: (number: number | undefined, field: string) => string,
): ReadonlyMap<number, readonly SourcePlace[]> {
  const found = new Map<number, SourcePlace[]>();
  let before = 0;
  for (let at = 0; at < words.length; at += 4) {
    const number = words[at] ?? 0;
    if (number < before || number >= lines) {
      throw new FormatError('NotSorted', `inlined.${at / 4} is out of order.`, {
        field: `inlined.${at / 4}`,
        rule: 'in the order of lines, each of a line that is there',
      });
    }
    before = number;
    const places = found.get(number) ?? [];
    places.push({
      file: text(words[at + 1], 'inlined'),
      line: words[at + 2] ?? 0,
      function: text(words[at + 3], 'inlined'),
    });
    found.set(number, places);
  }
  return found;
}

/** Where the code at a byte offset comes from, and what that was inlined into, innermost first; empty: not known. */
export function lookupPlaces(map: SymbolMap, offset: number): readonly SourcePlace[] {
  const row = rowAt(map, offset);
  if (row === null) return [];
  return [{ function: row.function, file: row.file, line: row.line }, ...(row.inlinedInto ?? [])];
}

/** Where the code at a byte offset of the module comes from, or `null` where that is not known. */
export function lookupSymbol(map: SymbolMap, offset: number): SourcePlace | null {
  return lookupPlaces(map, offset)[0] ?? null;
}

function rowAt(map: SymbolMap, offset: number): SymbolLine | null {
  let low = 0;
  let high = map.lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((map.lines[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  const row = map.lines[low - 1];
  return row === undefined || row.line === 0 ? null : row;
}

/** The function that holds an address, where functions are numbered by theirs; null: none begins before it. */
export function functionHolding(map: SymbolMap, address: number): SymbolFunction | null {
  return map.functions.findLast(({ index }) => index <= address) ?? null;
}

/** The name of a function by its index, or `null` where it has none. */
export function lookupFunction(map: SymbolMap, index: number): string | null {
  return map.functions.find((each) => each.index === index)?.name ?? null;
}
