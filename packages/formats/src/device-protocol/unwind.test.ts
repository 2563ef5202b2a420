import { describe, expect, it } from 'vitest';
import { seededRandom } from '../testing/strictness.ts';
import type { CoreDump } from './core-dump.ts';
import { unwindCore, type UnwindRow } from './unwind.ts';

const SP = 0x0012_ff00;
const row = (
  offset: number,
  bytes: number | null,
  ...saved: readonly (readonly [number, number])[]
): UnwindRow => ({
  offset,
  frame: bytes === null ? null : { register: 13, bytes },
  saved: new Map(saved),
});
/** `main` at 0x100 keeps LR below 16 bytes, `work` at 0x200 R4 and LR, `leaf` at 0x300 nothing, an ISR at 0x400 LR. */
const ROWS: readonly UnwindRow[] = [
  row(0x100, 16, [14, 4]),
  row(0x200, 8, [4, 8], [14, 4]),
  row(0x300, 0),
  row(0x400, 8, [14, 4]),
  row(0x500, null),
];
const dump = (pc: number, lr: number, stack: readonly number[], psp = 0): CoreDump => ({
  registers: [...Array.from({ length: 13 }, () => 0), SP, lr, pc, 0x0100_0000, SP, psp, 0],
  faults: [0, 0, 0, 0],
  stack: new Uint8Array(Uint32Array.from(stack).buffer),
});

describe('the stack of a real-time core', () => {
  it('is unwound from the instruction that failed to the first function', () => {
    // leaf ← work ← main ← reset
    const stack = [44, 0x121, 0, 0, 0, 0xffff_ffff];
    expect(unwindCore(dump(0x304, 0x211, stack), ROWS)).toEqual([0x304, 0x20e, 0x11e]);
  });

  it('goes through an exception to what it interrupted, with and without floating-point registers', () => {
    const frame = (lr: number, pc: number, xpsr: number) => [0, 0, 0, 0, 0, lr, pc, xpsr];
    const main = [0, 0, 0, 0xffff_ffff];
    // ISR at 0x404 keeps R4, LR; interrupted was leaf at 0x302, called from main.
    const plain = [7, 0xffff_fff9, ...frame(0x121, 0x302, 0), ...main];
    expect(unwindCore(dump(0x404, 1, plain), ROWS)).toEqual([0x404, 0x302, 0x11e]);
    const padded = [7, 0xffff_fff9, ...frame(0x121, 0x302, 0x200), 0, ...main];
    expect(unwindCore(dump(0x404, 1, padded), ROWS)).toEqual([0x404, 0x302, 0x11e]);
    const float = [
      7,
      0xffff_ffe9,
      ...frame(0x121, 0x302, 0),
      ...Array.from({ length: 18 }, () => 0),
      ...main,
    ];
    expect(unwindCore(dump(0x404, 1, float), ROWS)).toEqual([0x404, 0x302, 0x11e]);
    // What was stacked on a stack that the dump does not have is where it ends.
    expect(unwindCore(dump(0x404, 1, [7, 0xffff_fffd], 0x0011_0000), ROWS)).toEqual([0x404]);
  });

  it('ends where a rule is missing, where the dump does, and before it turns in a circle', () => {
    expect(unwindCore(dump(0x304, 0x211, []), ROWS)).toEqual([0x304, 0x20e]);
    expect(unwindCore(dump(0x304, 0x601, [1, 2, 3]), ROWS)).toEqual([0x304]);
    expect(unwindCore(dump(0x304, 0x211, [1, 2, 3, 4]), [])).toEqual([0x304]);
    const recursion = Array.from({ length: 512 }, () => 0x211);
    expect(unwindCore(dump(0x204, 0x211, recursion), ROWS)).toHaveLength(64);
  });

  it('is whatever a program left, and never more than a bounded list of numbers', () => {
    const random = seededRandom(3);
    for (let round = 0; round < 2000; round++) {
      const word = (): number =>
        [random(0x600), 0xffff_ffe0 + random(32), SP + random(64), random(2 ** 32)][random(4)] ?? 0;
      const registers = Array.from({ length: 20 }, word);
      if (random(2) === 0) registers[13] = SP;
      const stack = new Uint8Array(Uint32Array.from({ length: random(40) }, word).buffer);
      const found = unwindCore({ registers, faults: [], stack }, ROWS);
      expect(
        found.length >= 1 && found.length <= 64 && found.every((address) => address >>> 0 === address),
      ).toBe(true);
    }
  });
});
