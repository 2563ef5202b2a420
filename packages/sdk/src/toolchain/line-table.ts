import { SdkError } from '../errors.ts';
import { ModuleCursor } from './wasm-sections.ts';

/** Addresses at which the source position changes, and those behind the last instruction of a run of code. */
export interface LineAddresses {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Standard and extended opcodes of the line number program (DWARF 5 §6.2.5). */
const OPCODE = { copy: 1, advancePc: 2, constAddPc: 8, fixedAdvancePc: 9 } as const;
const EXTENDED = { endSequence: 1, setAddress: 2 } as const;

/**
 * Runs every line number program of a `.debug_line` section (DWARF 2 to 5, 32-bit, §6.2) as far as addresses go:
 * what stands there the symbolizer knows better, since it also knows what was inlined. Code that the linker left out
 * has addresses beyond `codeLength` and is skipped.
 */
export function lineAddresses(debugLine: Uint8Array, codeLength: number): LineAddresses {
  const starts = new Set<number>();
  const ends = new Set<number>();
  for (let at = 0; at < debugLine.length;) at = runProgram(debugLine, at, codeLength, starts, ends);
  return { starts: [...starts].sort((a, b) => a - b), ends: [...ends].sort((a, b) => a - b) };
}

/** Runs the program at `at` and gives where the next one starts. */
function runProgram(
  bytes: Uint8Array,
  at: number,
  codeLength: number,
  starts: Set<number>,
  ends: Set<number>,
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = at + 4 + view.getUint32(at, true);
  const version = view.getUint16(at + 4, true);
  if (version < 2 || version > 5) {
    throw new SdkError('UnexpectedModule', `The debug information has line tables of version ${version}.`);
  }
  // Version 5 says the sizes of addresses and segment selectors before the length of the header.
  const lengthAt = at + (version === 5 ? 8 : 6);
  const header = new ModuleCursor(bytes, lengthAt + 4);
  const programAt = header.at + view.getUint32(lengthAt, true);
  const step = header.byte();
  // Operations per instruction, which version 4 brought, and the default of is_stmt.
  header.at += version >= 4 ? 2 : 1;
  header.byte(); // line base
  const lineRange = header.byte();
  const opcodeBase = header.byte();
  const operands = Array.from({ length: opcodeBase - 1 }, () => header.byte());

  const cursor = new ModuleCursor(bytes, programAt);
  let address = 0;
  let isGone = false;
  const note = (): void => {
    if (!isGone && address < codeLength) starts.add(address);
  };
  while (cursor.at < end) {
    const opcode = cursor.byte();
    if (opcode >= opcodeBase) {
      address += Math.floor((opcode - opcodeBase) / lineRange) * step;
      note();
    } else if (opcode === 0) {
      const length = cursor.unsigned();
      const next = cursor.at + length;
      const extended = cursor.byte();
      if (extended === EXTENDED.setAddress) {
        address = view.getUint32(cursor.at, true);
        isGone = address === 0 || address > codeLength;
      } else if (extended === EXTENDED.endSequence) {
        if (!isGone) ends.add(address);
        address = 0;
        isGone = false;
      }
      cursor.at = next;
    } else if (opcode === OPCODE.copy) note();
    else if (opcode === OPCODE.advancePc) address += cursor.unsigned() * step;
    else if (opcode === OPCODE.constAddPc) address += Math.floor((255 - opcodeBase) / lineRange) * step;
    else if (opcode === OPCODE.fixedAdvancePc) {
      address += view.getUint16(cursor.at, true);
      cursor.at += 2;
    } else {
      // The rest says nothing of addresses; its operands are LEB128.
      for (let left = operands[opcode - 1] ?? 0; left > 0; left -= 1) cursor.unsigned();
    }
  }
  return end;
}
