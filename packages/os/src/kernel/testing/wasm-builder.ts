import { concatBytes, utf8Encode } from '@sevenfold/formats';

/** An import to declare: module, name, and its signature as the import table writes it. */
export interface DeclaredImport {
  readonly module: string;
  readonly name: string;
  readonly params: string;
  readonly result: string;
}

/** What a hand-made module consists of. */
export interface ModuleParts {
  readonly imports?: readonly DeclaredImport[];
  /** Pages of 64 KiB; max absent: none is declared. */
  readonly memory?: { readonly min: number; readonly max?: number; readonly shared?: boolean } | null;
  /** Code of `_start`, without locals and without its final `end`. */
  readonly start?: readonly number[];
  readonly data?: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  /** Elements of a table of functions. */
  readonly table?: { readonly min: number; readonly max?: number; readonly type?: number };
  /** Whether the module also names `_start` as its start function. */
  readonly startSection?: boolean;
  readonly exports?: readonly ('_start' | 'memory')[];
  /** A section to add as it is, after the type section. */
  readonly extraTypes?: readonly (readonly number[])[];
}

const TYPE_BYTE: Readonly<Record<string, number>> = { i: 0x7f, I: 0x7e, f: 0x7d, F: 0x7c };

/** Unsigned LEB128. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? digit + 128 : digit);
  } while (rest > 0);
  return bytes;
}

function signedLeb(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const digit = Number(rest & 0x7fn);
    rest >>= 7n;
    const isLast = (rest === 0n && (digit & 0x40) === 0) || (rest === -1n && (digit & 0x40) !== 0);
    bytes.push(isLast ? digit : digit | 0x80);
    if (isLast) return bytes;
  }
}

/** Instructions used in tests. */
export const op = {
  i32: (value: number): number[] => [0x41, ...signedLeb(BigInt(value | 0))],
  i64: (value: bigint): number[] => [0x42, ...signedLeb(value)],
  call: (index: number): number[] => [0x10, ...leb(index)],
  drop: [0x1a],
  unreachable: [0x00],
  add: [0x6a],
  /** Stores an i32 at the address below it on the stack. */
  store: [0x36, 0x02, 0x00],
  load: [0x28, 0x02, 0x00],
  load8: [0x2d, 0x00, 0x00],
  loop: (body: readonly number[]): number[] => [0x03, 0x40, ...body, 0x0c, 0x00, 0x0b],
  /** Loops while the body leaves something other than 0. */
  loopWhile: (body: readonly number[]): number[] => [0x03, 0x40, ...body, 0x0d, 0x00, 0x0b],
} as const;

const name = (text: string): number[] => {
  const bytes = utf8Encode(text);
  return [...leb(bytes.length), ...bytes];
};
const section = (id: number, content: readonly number[]): Uint8Array =>
  Uint8Array.from([id, ...leb(content.length), ...content]);
const vector = (items: readonly (readonly number[])[]): number[] => [...leb(items.length), ...items.flat()];
const functionType = (params: string, results: string): number[] => [
  0x60,
  ...vector(Array.from(params, (letter) => [TYPE_BYTE[letter] ?? 0])),
  ...vector(Array.from(results, (letter) => [TYPE_BYTE[letter] ?? 0])),
];
const limits = (min: number, max: number | undefined, shared = false): number[] =>
  max === undefined ? [0x00, ...leb(min)] : [shared ? 0x03 : 0x01, ...leb(min), ...leb(max)];

/** Writes a module by hand: small, exact, and as wrong as a test wants it. */
export function buildModule(parts: ModuleParts): Uint8Array {
  const imports = parts.imports ?? [];
  const memory = parts.memory === undefined ? { min: 1, max: 1 } : parts.memory;
  const types = [
    functionType('', ''),
    ...imports.map(({ params, result }) => functionType(params, result)),
    ...(parts.extraTypes ?? []),
  ];
  const exported = parts.exports ?? ['_start', 'memory'];
  const sections = [
    section(1, vector(types)),
    section(
      2,
      vector(imports.map((row, index) => [...name(row.module), ...name(row.name), 0x00, ...leb(index + 1)])),
    ),
    section(3, vector([[0]])),
    ...(parts.table === undefined
      ? []
      : [section(4, vector([[parts.table.type ?? 0x70, ...limits(parts.table.min, parts.table.max)]]))]),
    ...(memory === null ? [] : [section(5, vector([limits(memory.min, memory.max, memory.shared)]))]),
    section(
      7,
      vector(
        exported.map((each) =>
          each === 'memory' ? [...name(each), 0x02, 0] : [...name(each), 0x00, ...leb(imports.length)],
        ),
      ),
    ),
    ...(parts.startSection === true ? [section(8, leb(imports.length))] : []),
    section(10, vector([[...leb((parts.start ?? []).length + 2), 0x00, ...(parts.start ?? []), 0x0b]])),
    section(
      11,
      vector(
        (parts.data ?? []).map(({ offset, bytes }) => [
          0x00,
          ...op.i32(offset),
          0x0b,
          ...leb(bytes.length),
          ...bytes,
        ]),
      ),
    ),
  ];
  return concatBytes(Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]), ...sections);
}
