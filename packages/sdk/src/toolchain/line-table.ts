import { SdkError } from '../errors.ts';
import { ModuleCursor } from './wasm-sections.ts';

/** What stands at an address, up to the next row (DWARF 5 §6.2.2). */
export interface LineRow {
  /** From the start of the code section. */
  readonly address: number;
  /** As the compiler was given it; empty where the table is of version 5, which our compilers do not write. */
  readonly file: string;
  /** From 1; 0: code that belongs to no line. */
  readonly line: number;
  /** Whether this is a good place to stop at for the line. */
  readonly isStatement: boolean;
  /** Whether a function's parameters are where its variables say from here on. */
  readonly endsPrologue: boolean;
  /** Behind the last instruction of a run of code: nothing stands there. */
  readonly isEnd: boolean;
}

/** The line number program of one compilation unit. */
export interface LineProgram {
  /** Where it begins in `.debug_line`: what its unit calls it. */
  readonly offset: number;
  /** By the numbers that the unit uses, from 1. */
  readonly files: readonly string[];
  /** In the order of the program; rows of code that the linker left out are not among them. */
  readonly rows: readonly LineRow[];
}

/** Standard and extended opcodes of the line number program (DWARF 5 §6.2.5). */
const OPCODE = {
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  negateStatement: 6,
  constAddPc: 8,
  fixedAdvancePc: 9,
  prologueEnd: 10,
} as const;
const EXTENDED = { endSequence: 1, setAddress: 2 } as const;

/**
 * Runs every line number program of a `.debug_line` section (DWARF 2 to 5, 32-bit, §6.2). Code that the linker left
 * out has addresses beyond `codeLength` and is skipped.
 */
export function readLinePrograms(debugLine: Uint8Array, codeLength: number): readonly LineProgram[] {
  const programs: LineProgram[] = [];
  for (let at = 0; at < debugLine.length;) {
    const { end, ...program } = runProgram(debugLine, at, codeLength);
    programs.push(program);
    at = end;
  }
  return programs;
}

/** Addresses at which the source position changes, and those behind the last instruction of a run of code: both sorted. */
export function lineAddresses(
  debugLine: Uint8Array,
  codeLength: number,
): { readonly starts: readonly number[]; readonly ends: readonly number[] } {
  const rows = readLinePrograms(debugLine, codeLength).flatMap((program) => program.rows);
  const addresses = (isEnd: boolean): readonly number[] =>
    [...new Set(rows.filter((row) => row.isEnd === isEnd).map(({ address }) => address))].sort(
      (a, b) => a - b,
    );
  return { starts: addresses(false), ends: addresses(true) };
}

interface Header {
  /** Where the instructions begin, and where the program ends. */
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly isStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  readonly operands: readonly number[];
  readonly files: readonly string[];
}

function readHeader(bytes: Uint8Array, view: DataView, at: number): Header {
  const end = at + 4 + view.getUint32(at, true);
  const version = view.getUint16(at + 4, true);
  if (version < 2 || version > 5) {
    throw new SdkError('UnexpectedModule', `The debug information has line tables of version ${version}.`);
  }
  // Version 5 says the sizes of addresses and segment selectors before the length of the header.
  const lengthAt = at + (version === 5 ? 8 : 6);
  const cursor = new ModuleCursor(bytes, lengthAt + 4);
  const start = cursor.at + view.getUint32(lengthAt, true);
  const step = cursor.byte();
  if (version >= 4) cursor.byte(); // operations per instruction
  const isStatement = cursor.byte() !== 0;
  const lineBase = (cursor.byte() << 24) >> 24;
  const lineRange = cursor.byte();
  const opcodeBase = cursor.byte();
  const operands = Array.from({ length: opcodeBase - 1 }, () => cursor.byte());
  const files = version <= 4 ? readFiles(cursor) : [];
  return { start, end, step, isStatement, lineBase, lineRange, opcodeBase, operands, files };
}

/** Folders and files of a table before version 5 (DWARF 4 §6.2.4); folder 0 is the compiler's own, `/`. */
function readFiles(cursor: ModuleCursor): readonly string[] {
  const folders: string[] = [''];
  for (let folder = cursor.terminated(); folder !== ''; folder = cursor.terminated()) folders.push(folder);
  const files: string[] = [''];
  for (let name = cursor.terminated(); name !== ''; name = cursor.terminated()) {
    const folder = folders[cursor.unsigned()] ?? '';
    cursor.unsigned(); // time
    cursor.unsigned(); // length
    files.push(name.startsWith('/') ? name : `${folder}/${name}`);
  }
  return files;
}

/** Runs the program at `at`; gives where the next one starts, too. */
function runProgram(
  bytes: Uint8Array,
  at: number,
  codeLength: number,
): LineProgram & { readonly end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(bytes, view, at);
  const { step, lineBase, lineRange, opcodeBase, operands, files } = header;
  const rows: LineRow[] = [];
  const cursor = new ModuleCursor(bytes, header.start);
  const fresh = { address: 0, file: 1, line: 1, isStatement: header.isStatement, endsPrologue: false };
  let state = { ...fresh };
  let isGone = false;
  const note = (isEnd: boolean): void => {
    if (!isGone && (isEnd || state.address < codeLength)) {
      rows.push({ ...state, file: files[state.file] ?? '', isEnd });
    }
    state.endsPrologue = false;
  };
  const constAdd = Math.floor((255 - opcodeBase) / lineRange) * step;
  while (cursor.at < header.end) {
    const opcode = cursor.byte();
    if (opcode >= opcodeBase) {
      state.address += Math.floor((opcode - opcodeBase) / lineRange) * step;
      state.line += lineBase + ((opcode - opcodeBase) % lineRange);
      note(false);
    } else if (opcode === 0) {
      const length = cursor.unsigned();
      const next = cursor.at + length;
      const extended = cursor.byte();
      if (extended === EXTENDED.setAddress) {
        state.address = view.getUint32(cursor.at, true);
        isGone = state.address === 0 || state.address > codeLength;
      } else if (extended === EXTENDED.endSequence) {
        note(true);
        state = { ...fresh };
        isGone = false;
      }
      cursor.at = next;
    } else if (opcode === OPCODE.copy) note(false);
    else if (opcode === OPCODE.advancePc) state.address += cursor.unsigned() * step;
    else if (opcode === OPCODE.advanceLine) state.line += cursor.signed();
    else if (opcode === OPCODE.setFile) state.file = cursor.unsigned();
    else if (opcode === OPCODE.negateStatement) state.isStatement = !state.isStatement;
    else if (opcode === OPCODE.constAddPc) state.address += constAdd;
    else if (opcode === OPCODE.prologueEnd) state.endsPrologue = true;
    else if (opcode === OPCODE.fixedAdvancePc) {
      state.address += view.getUint16(cursor.at, true);
      cursor.at += 2;
    } else {
      // The rest says nothing that is asked for; its operands are LEB128.
      for (let left = operands[opcode - 1] ?? 0; left > 0; left -= 1) cursor.unsigned();
    }
  }
  return { offset: at, files, rows, end: header.end };
}
