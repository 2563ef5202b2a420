import { describe, expect, it } from 'vitest';
import { viewOf } from './bytes.ts';
import { CORE_MEMORIES, parseElf } from './elf.ts';
import { FormatError } from './errors.ts';
import { buildElf, type TestSegment } from './testing/elf.ts';
import { codeOf, mutate, seededRandom } from './testing/strictness.ts';

const TCM = CORE_MEMORIES.tcm.base;
const code = (address: number = TCM): TestSegment => {
  const bytes = new Uint8Array(0x200);
  viewOf(bytes).setUint32(0, TCM + CORE_MEMORIES.tcm.size, true);
  viewOf(bytes).setUint32(4, (address + 0x100) | 1, true);
  return { address, bytes };
};
const data: TestSegment = { address: 0x2200_0000, bytes: Uint8Array.of(1, 2, 3), size: 0x1_0000, flags: 6 };
const refusal = (segments: readonly TestSegment[], change: (view: DataView) => void = () => {}): string => {
  const file = buildElf({ segments });
  change(viewOf(file));
  return codeOf(() => parseElf(file));
};
/** Byte offsets of the second program header's fields in what `buildElf` writes. */
const second = (field: number): number => 52 + 32 + field * 4;

describe('a program of a real-time core', () => {
  it('has its segments in the core’s memories and begins with its vector table', () => {
    const program = parseElf(buildElf({ segments: [data, code()] }));
    expect(program).toMatchObject({ stack: 0x0013_0000, reset: 0x0010_0101 });
    expect(program.segments.map(({ address, bytes, size }) => [address, bytes.length, size])).toEqual([
      [TCM, 0x200, 0x200],
      [0x2200_0000, 3, 0x1_0000],
    ]);
  });

  it('may have code that is executed in flash: at the start of the window, aligned in the file, all there', () => {
    const xip = { address: CORE_MEMORIES.xip.base, bytes: new Uint8Array(0x40) };
    expect(refusal([{ ...code(), reset: xip.address | 1 }, xip])).toBe('accepted');
    for (const [segment, change] of [
      [xip, (view: DataView) => view.setUint32(second(1), 0x81, true)],
      [{ ...xip, size: 0x80 }],
      [{ ...xip, address: xip.address + 32 }],
    ] as const)
      expect(refusal([code(), segment], change)).toBe('ElfMisalignedXip');
  });

  it.each<[string, readonly TestSegment[], ((view: DataView) => void)?]>([
    ['NotAnElf', [code()], (view) => view.setUint8(0, 0)],
    ['ElfWrongClass', [code()], (view) => view.setUint8(4, 2)],
    ['ElfWrongClass', [code()], (view) => view.setUint8(5, 2)],
    ['ElfWrongClass', [code()], (view) => view.setUint16(42, 56, true)],
    ['ElfWrongMachine', [code()], (view) => view.setUint16(18, 243, true)],
    ['ElfWrongAbi', [code()], (view) => view.setUint32(36, 0x0400_0000, true)],
    ['ElfWrongAbi', [code()], (view) => view.setUint32(36, 0x0580_0000, true)],
    ['ElfNotExecutable', [code()], (view) => view.setUint16(16, 3, true)],
    ['ElfTooManySegments', [code()], (view) => view.setUint16(44, 17, true)],
    [
      'ElfTooManySegments',
      [code(), ...[1, 2, 3, 4].map((n) => ({ ...data, address: TCM + n * 0x1000, size: 16 }))],
    ],
    ['ElfTruncated', [code()], (view) => view.setUint32(28, 0xffff_fff0, true)],
    ['ElfTruncated', [code(), data], (view) => view.setUint32(second(1), 0xffff_fff0, true)],
    ['ElfUnsupportedSegment', [code(), data], (view) => view.setUint32(second(0), 2, true)],
    ['ElfSegmentTooLong', [code(), data], (view) => view.setUint32(second(5), 2, true)],
    ['ElfMovedSegment', [code(), data], (view) => view.setUint32(second(3), TCM + 0x1000, true)],
    ['ElfSegmentOutOfMemory', [code(), { ...data, size: 0x1_0001 }]],
    ['ElfSegmentOutOfMemory', [code(), { ...data, address: 0x8000_0000 }]],
    ['ElfSegmentOutOfMemory', [code(), { ...data, address: 0xffff_ffff, size: 3 }]],
    ['ElfWithoutSegments', []],
    ['ElfOverlappingSegments', [code(), { ...data, address: TCM + 0x1ff, size: 3 }]],
    ['ElfWithoutVectors', [code()], (view) => view.setUint32(24, TCM + 4, true)],
    ['ElfWithoutVectors', [code()], (view) => view.setUint32(24, 0x2200_0000, true)],
    ['ElfWithoutVectors', [{ ...code(), bytes: new Uint8Array(7), size: 0x200 }]],
    ['ElfBadStack', [{ ...code(), stack: 0x0013_0004 }]],
    ['ElfBadStack', [{ ...code(), stack: 0x0012_fffe }]],
    ['ElfBadStack', [{ ...code(), stack: 0x1000_0100 }]],
    ['ElfBadStack', [{ ...code(), stack: 0 }]],
    ['ElfBadReset', [{ ...code(), reset: TCM + 0x100 }]],
    ['ElfBadReset', [{ ...code(), reset: TCM + 0x201 }]],
    ['ElfBadReset', [{ ...code(), flags: 6 }]],
  ])('%s', (expected, segments, change) => {
    expect(refusal(segments, change)).toBe(expected);
  });

  it('is no shorter than its header', () => {
    expect(codeOf(() => parseElf(new Uint8Array(51)))).toBe('ElfTooShort');
  });

  it('ignores headers that mean nothing to a loader, and segments of no size', () => {
    const file = buildElf({
      segments: [code(), { ...data, bytes: new Uint8Array(0), size: 0 }, { ...data, type: 0x7000_0001 }],
    });
    expect(parseElf(file).segments).toHaveLength(1);
  });

  it('refuses any mutant with a typed error, or what it accepts lies in the core’s memories', () => {
    const random = seededRandom(11);
    const good = buildElf({ segments: [code(), data] });
    let refused = 0;
    for (let round = 0; round < 4000; round++) {
      // The headers decide: what follows them is the program's own business.
      const mutant = Uint8Array.from([
        ...mutate(good.subarray(0, 116 + 8), random),
        ...good.subarray(116 + 8),
      ]);
      try {
        for (const { address, bytes, size } of parseElf(mutant).segments) {
          const fits = Object.values(CORE_MEMORIES).some(
            (each) => address >= each.base && address + size <= each.base + each.size,
          );
          expect(fits && bytes.length <= size).toBe(true);
        }
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
