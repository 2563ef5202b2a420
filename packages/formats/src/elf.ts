import { viewOf } from './bytes.ts';
import { FormatError, type FormatErrorCode } from './errors.ts';

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

/** A program of a real-time core. */
export interface ElfProgram {
  /** Address of the vector table, which is what such a file calls its entry point (§1.10). */
  readonly vectors: number;
  /** The first two vectors: stack pointer, and first instruction with its Thumb bit. */
  readonly stack: number;
  readonly reset: number;
  /** Ascending by address. */
  readonly segments: readonly ElfSegment[];
}

const HEADER = 52;
const PROGRAM_HEADER = 32;
const MOST_PROGRAM_HEADERS = 16;
/** Code, data, the heap's SYSRAM, and what is executed in flash. */
const MOST_SEGMENTS = 4;
const XIP_ALIGNMENT = 32;
/** VTOR holds bits 31:7 (DDI 0403E B3.2.5). */
const VECTORS_ALIGNMENT = 128;
const EXECUTABLE = 2;
const ARM = 40;
/** e_flags: version 5 of the EABI, and whether floats are passed in registers. Nothing else. */
const EABI5 = 0x0500_0000;
const FLOAT_ABI = 0x600;
const LOAD = 1;
/** Headers that say nothing to a loader: none, notes, the headers themselves, unwinding tables, the stack's rights. */
const IGNORED: ReadonlySet<number> = new Set([0, 4, 6, 0x7000_0001, 0x6474_e551]);
const MAY_EXECUTE = 1;

interface Loaded extends ElfSegment {
  readonly isExecutable: boolean;
}

function refuse(code: FormatErrorCode, message: string, field: string, rule: string): never {
  throw new FormatError(code, message, { field, rule });
}

const hex = (address: number): string => `0x${address.toString(16).padStart(8, '0')}`;

function checkIdentity(file: Uint8Array, view: DataView): void {
  if (file.length < HEADER)
    refuse('ElfTooShort', `The file has ${file.length} bytes.`, 'e_ident', `at least ${HEADER}`);
  if (view.getUint32(0, false) !== 0x7f45_4c46)
    refuse('NotAnElf', 'This is no ELF file.', 'e_ident', '7F 45 4C 46');
  const [kind, order, version] = [view.getUint8(4), view.getUint8(5), view.getUint8(6)];
  if (kind !== 1 || order !== 1 || version !== 1 || view.getUint32(20, true) !== 1)
    refuse(
      'ElfWrongClass',
      'The ELF file is of another class.',
      'e_ident',
      '32 bits, little-endian, version 1',
    );
  if (view.getUint16(18, true) !== ARM)
    refuse(
      'ElfWrongMachine',
      `The program is for machine ${view.getUint16(18, true)}.`,
      'e_machine',
      'Arm, 40',
    );
  const flags = view.getUint32(36, true);
  if ((flags & ~FLOAT_ABI) >>> 0 !== EABI5)
    refuse('ElfWrongAbi', `The flags are ${hex(flags)}.`, 'e_flags', 'version 5 of the Arm EABI');
  if (view.getUint16(16, true) !== EXECUTABLE)
    refuse('ElfNotExecutable', 'The ELF file is no linked program.', 'e_type', 'executable, 2');
}

/** The program headers, each wholly in the file. */
function programHeaders(file: Uint8Array, view: DataView): readonly number[] {
  const start = view.getUint32(28, true);
  const count = view.getUint16(44, true);
  if (view.getUint16(40, true) !== HEADER || view.getUint16(42, true) !== PROGRAM_HEADER)
    refuse(
      'ElfWrongClass',
      'The headers have other sizes.',
      'e_phentsize',
      `${HEADER} and ${PROGRAM_HEADER} bytes`,
    );
  if (count > MOST_PROGRAM_HEADERS)
    refuse(
      'ElfTooManySegments',
      `There are ${count} program headers.`,
      'e_phnum',
      `at most ${MOST_PROGRAM_HEADERS}`,
    );
  if (start + count * PROGRAM_HEADER > file.length)
    refuse('ElfTruncated', 'The program headers are not in the file.', 'e_phoff', `below ${file.length}`);
  return Array.from({ length: count }, (_, index) => start + index * PROGRAM_HEADER);
}

/** The memory of a core that holds a range; null: none holds all of it. */
function memoryOf(address: number, size: number): keyof typeof CORE_MEMORIES | null {
  for (const name of ['tcm', 'sysram', 'xip'] as const) {
    const { base, size: room } = CORE_MEMORIES[name];
    if (address >= base && address + size <= base + room) return name;
  }
  return null;
}

/** A segment that takes memory, judged; null for one of no size or a header that is not the loader's. */
function readSegment(file: Uint8Array, view: DataView, at: number): Loaded | null {
  const word = (index: number): number => view.getUint32(at + index * 4, true);
  const [type, offset, address, physical, inFile, size, flags] = [0, 1, 2, 3, 4, 5, 6].map(word) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (type !== LOAD) {
    if (!IGNORED.has(type))
      refuse(
        'ElfUnsupportedSegment',
        `A program header is of type ${hex(type)}.`,
        'p_type',
        'of a static program',
      );
    return null;
  }
  const field = `segment ${hex(address)}`;
  if (inFile > size)
    refuse('ElfSegmentTooLong', `${field} has more bytes than memory.`, field, 'p_filesz ≤ p_memsz');
  if (offset + inFile > file.length)
    refuse('ElfTruncated', `${field} is not wholly in the file.`, field, `at most ${file.length} bytes`);
  if (size === 0) return null;
  if (physical !== address)
    refuse('ElfMovedSegment', `${field} is to be loaded at ${hex(physical)}.`, field, 'p_paddr = p_vaddr');
  const memory = memoryOf(address, size);
  if (memory === null)
    refuse(
      'ElfSegmentOutOfMemory',
      `${field} of ${size} bytes is in no memory of a core.`,
      field,
      'TCM, SYSRAM or XIP',
    );
  if (
    memory === 'xip' &&
    (address !== CORE_MEMORIES.xip.base || offset % XIP_ALIGNMENT !== 0 || inFile !== size)
  )
    refuse(
      'ElfMisalignedXip',
      `${field} cannot be executed where it lies in flash.`,
      field,
      `at ${hex(CORE_MEMORIES.xip.base)}, its bytes on a multiple of ${XIP_ALIGNMENT} in the file, all of them there`,
    );
  return {
    address,
    bytes: file.subarray(offset, offset + inFile),
    size,
    isExecutable: (flags & MAY_EXECUTE) !== 0,
  };
}

/** Where a range lies in what the file brings; null: not wholly in one segment's bytes. */
function findBytes(segments: readonly Loaded[], address: number, length: number): Loaded | null {
  const holds = ({ address: first, bytes }: Loaded): boolean =>
    address >= first && address + length <= first + bytes.length;
  return segments.find(holds) ?? null;
}

/**
 * Reads a program of a real-time core: ELF32 for Arm, EABI 5, statically linked, its segments in TCM, SYSRAM or the XIP
 * window alone. Steps in order: identity, headers, each segment, that none overlaps, vector table. Sections are not
 * looked at. Each refusal has a code of its own.
 */
export function parseElf(untrusted: Uint8Array): ElfProgram {
  const view = viewOf(untrusted);
  checkIdentity(untrusted, view);
  const segments = programHeaders(untrusted, view)
    .flatMap((at) => readSegment(untrusted, view, at) ?? [])
    .toSorted((a, b) => a.address - b.address);
  if (segments.length === 0)
    refuse('ElfWithoutSegments', 'The program has no bytes.', 'e_phnum', 'a segment to load');
  if (segments.length > MOST_SEGMENTS)
    refuse(
      'ElfTooManySegments',
      `There are ${segments.length} segments.`,
      'e_phnum',
      `at most ${MOST_SEGMENTS}`,
    );
  for (const [index, { address, size }] of segments.entries()) {
    const next = segments[index + 1];
    if (next !== undefined && address + size > next.address)
      refuse(
        'ElfOverlappingSegments',
        `Two segments hold ${hex(next.address)}.`,
        `segment ${hex(next.address)}`,
        'no overlap',
      );
  }
  const vectors = view.getUint32(24, true);
  const table = findBytes(segments, vectors, 8);
  if (table === null || vectors % VECTORS_ALIGNMENT !== 0)
    refuse(
      'ElfWithoutVectors',
      `There is no vector table at the entry point ${hex(vectors)}.`,
      'e_entry',
      `the vector table, on a multiple of ${VECTORS_ALIGNMENT}`,
    );
  const words = viewOf(table.bytes);
  const stack = words.getUint32(vectors - table.address, true);
  const reset = words.getUint32(vectors - table.address + 4, true);
  const stackMemory = memoryOf(stack - 4, 4);
  if (stack % 4 !== 0 || stackMemory === null || stackMemory === 'xip')
    refuse(
      'ElfBadStack',
      `The stack begins at ${hex(stack)}.`,
      'vector 0',
      'the end of a part of TCM or SYSRAM',
    );
  if (reset % 2 !== 1 || findBytes(segments, reset - 1, 2)?.isExecutable !== true)
    refuse(
      'ElfBadReset',
      `The program begins at ${hex(reset)}.`,
      'vector 1',
      'a Thumb instruction of the program',
    );
  return {
    vectors,
    stack,
    reset,
    segments: segments.map(({ address, bytes, size }) => ({ address, bytes, size })),
  };
}
