import { viewOf } from './bytes.ts';
import { FormatError } from './errors.ts';

/** What a program of a real-time core may fill (real-time-cores.md §1.1): first address and bytes. */
export const CORE_MEMORIES = {
  tcm: { base: 0x0010_0000, size: 0x3_0000 },
  sysram: { base: 0x2200_0000, size: 0x1_0000 },
  xip: { base: 0x1000_0000, size: 0x10_0000 },
} as const;

/** A part of a program as it is put into a core's memory. */
export interface ElfSegment {
  readonly address: number;
  /** What the file has of it: a view. What memory has beyond that is zeros. */
  readonly bytes: Uint8Array;
  /** Bytes in memory. */
  readonly size: number;
}

/** A program of a real-time core. Its vector table, which such a file calls its entry point, begins TCM (§1.10). */
export interface ElfProgram {
  /** The first two vectors: stack pointer, and first instruction with its Thumb bit. */
  readonly stack: number;
  readonly reset: number;
  /** Ascending by address. */
  readonly segments: readonly ElfSegment[];
}

/** What is asked of a program: the field of the file, and its rule. */
const RULES = {
  ElfTooShort: ['the file', 'at least 52 bytes long'],
  NotAnElf: ['e_ident', '7F 45 4C 46'],
  ElfWrongClass: [
    'the ELF header',
    'of 32 bits, little-endian, version 1, 52 bytes, with program headers of 32',
  ],
  ElfWrongMachine: ['e_machine', '40, Arm'],
  ElfWrongAbi: ['e_flags', 'version 5 of the Arm EABI, and nothing but how floats are passed'],
  ElfNotExecutable: ['e_type', '2, a linked program'],
  ElfTooManySegments: ['e_phnum', 'at most 16, of which 4 are loaded'],
  ElfTruncated: ['p_offset', 'within the file, with all that it names'],
  ElfUnsupportedSegment: ['p_type', 'one of a static program'],
  ElfSegmentTooLong: ['p_filesz', 'at most p_memsz'],
  ElfMovedSegment: ['p_paddr', 'p_vaddr'],
  ElfSegmentOutOfMemory: ['p_vaddr', 'with all of the segment in TCM, SYSRAM or the XIP window'],
  ElfMisalignedXip: [
    'p_vaddr',
    '0x10000000 for what is executed in flash, 32-byte aligned in the file and all there',
  ],
  ElfWithoutSegments: ['e_phnum', 'at least 1, with something to load'],
  ElfOverlappingSegments: ['p_vaddr', 'beyond the end of the segment below'],
  ElfWithoutVectors: ['e_entry', '0x00100000, where the vector table is'],
  ElfBadStack: ['vector 0', 'the end of a stack in TCM or SYSRAM'],
  ElfBadReset: ['vector 1', 'a Thumb instruction of the program'],
} as const;

const HEADER = 52;
const PROGRAM_HEADER = 32;
const MOST_PROGRAM_HEADERS = 16;
/** Code, data, the heap's SYSRAM, and what is executed in flash. */
const MOST_SEGMENTS = 4;
const XIP_ALIGNMENT = 32;
const EXECUTABLE = 2;
const ARM = 40;
/** e_flags: version 5 of the EABI, and whether floats are passed in registers. */
const EABI5 = 0x0500_0000;
const FLOAT_ABI = 0x600;
const LOAD = 1;
/** Headers that say nothing to a loader: none, notes, the headers themselves, unwinding tables, the stack's rights. */
const IGNORED: readonly number[] = [0, 4, 6, 0x7000_0001, 0x6474_e551];
const MAY_EXECUTE = 1;

/** Names of the memories, as `memoryOf` gives them. */
type CoreMemoryName = keyof typeof CORE_MEMORIES;

interface Loaded extends ElfSegment {
  readonly isExecutable: boolean;
}

/** Refuses unless something holds. `found`: what is there instead. */
function demand(holds: boolean, code: keyof typeof RULES, found: number): asserts holds {
  if (holds) return;
  const [field, rule] = RULES[code];
  throw new FormatError(code, `${field} must be ${rule}; here it is 0x${found.toString(16)}.`, {
    field,
    rule,
  });
}

/** The program headers, each wholly in the file. */
function programHeaders(file: Uint8Array, view: DataView): readonly number[] {
  demand(file.length >= HEADER, 'ElfTooShort', file.length);
  demand(view.getUint32(0, false) === 0x7f45_4c46, 'NotAnElf', view.getUint32(0, false));
  const kind = view.getUint32(4, true) & 0xff_ffff;
  demand(kind === 0x01_0101 && view.getUint32(20, true) === 1, 'ElfWrongClass', kind);
  const [headerSize, entrySize] = [view.getUint16(40, true), view.getUint16(42, true)];
  demand(headerSize === HEADER && entrySize === PROGRAM_HEADER, 'ElfWrongClass', entrySize);
  demand(view.getUint16(18, true) === ARM, 'ElfWrongMachine', view.getUint16(18, true));
  const flags = view.getUint32(36, true);
  demand((flags & ~FLOAT_ABI) >>> 0 === EABI5, 'ElfWrongAbi', flags);
  demand(view.getUint16(16, true) === EXECUTABLE, 'ElfNotExecutable', view.getUint16(16, true));
  const start = view.getUint32(28, true);
  const count = view.getUint16(44, true);
  demand(count <= MOST_PROGRAM_HEADERS, 'ElfTooManySegments', count);
  demand(start + count * PROGRAM_HEADER <= file.length, 'ElfTruncated', start);
  return Array.from({ length: count }, (_, index) => start + index * PROGRAM_HEADER);
}

/** The memory of a core that holds all of a range; null: none does. */
function memoryOf(address: number, size: number): CoreMemoryName | null {
  const holds = (name: CoreMemoryName): boolean => {
    const { base, size: room } = CORE_MEMORIES[name];
    return address >= base && address + size <= base + room;
  };
  return (['tcm', 'sysram', 'xip'] as const).find(holds) ?? null;
}

/** A segment that takes memory, judged; null for one of no size or a header that is not the loader's. */
function readSegment(file: Uint8Array, view: DataView, at: number): Loaded | null {
  const word = (index: number): number => view.getUint32(at + index * 4, true);
  const [type, offset, address, inFile, size] = [word(0), word(1), word(2), word(4), word(5)];
  demand(type === LOAD || IGNORED.includes(type), 'ElfUnsupportedSegment', type);
  if (type !== LOAD) return null;
  demand(inFile <= size, 'ElfSegmentTooLong', inFile);
  demand(offset + inFile <= file.length, 'ElfTruncated', offset);
  if (size === 0) return null;
  demand(word(3) === address, 'ElfMovedSegment', word(3));
  const memory = memoryOf(address, size);
  demand(memory !== null, 'ElfSegmentOutOfMemory', address);
  const fitsXip = address === CORE_MEMORIES.xip.base && offset % XIP_ALIGNMENT === 0 && inFile === size;
  demand(memory !== 'xip' || fitsXip, 'ElfMisalignedXip', address);
  const bytes = file.subarray(offset, offset + inFile);
  return { address, bytes, size, isExecutable: (word(6) & MAY_EXECUTE) !== 0 };
}

/**
 * Reads a program of a real-time core: ELF32 for Arm, EABI 5, statically linked, its segments in TCM, SYSRAM or the XIP
 * window alone. Steps in order: identity, headers, each segment, that none overlaps, vector table. Sections are not
 * looked at. Each refusal has a code of its own.
 */
export function parseElf(untrusted: Uint8Array): ElfProgram {
  const view = viewOf(untrusted);
  const segments = programHeaders(untrusted, view)
    .flatMap((at) => readSegment(untrusted, view, at) ?? [])
    .toSorted((a, b) => a.address - b.address);
  demand(segments.length > 0, 'ElfWithoutSegments', 0);
  demand(segments.length <= MOST_SEGMENTS, 'ElfTooManySegments', segments.length);
  for (const [index, { address, size }] of segments.entries()) {
    const next = segments[index + 1]?.address ?? Infinity;
    demand(address + size <= next, 'ElfOverlappingSegments', next);
  }
  const holding = (address: number, length: number): Loaded | undefined =>
    segments.find((each) => address >= each.address && address + length <= each.address + each.bytes.length);
  const vectors = view.getUint32(24, true);
  const table = holding(vectors, 8);
  demand(table !== undefined && vectors === CORE_MEMORIES.tcm.base, 'ElfWithoutVectors', vectors);
  const [stack, reset] = [0, 4].map((at) => viewOf(table.bytes).getUint32(at, true)) as [number, number];
  const stackMemory = memoryOf(stack - 4, 4);
  demand(stack % 4 === 0 && (stackMemory === 'tcm' || stackMemory === 'sysram'), 'ElfBadStack', stack);
  demand(reset % 2 === 1 && holding(reset - 1, 2)?.isExecutable === true, 'ElfBadReset', reset);
  return { stack, reset, segments: segments.map(({ address, bytes, size }) => ({ address, bytes, size })) };
}
