import { describe, expect, it } from 'vitest';
import { decode } from './decoder.ts';
import { disassemble } from './disassembler.ts';

const text = (first: number, second = 0, it = 0): string => disassemble(decode(first, second, it), 0x1000);

describe('the disassembler', () => {
  // As GNU objdump writes them, but for `.w` and its preference for aliases.
  it.each([
    [0x1889, 0, 'adds r1, r1, r2'],
    [0x4770, 0, 'bx lr'],
    [0xb5f0, 0, 'push {r4-r7, lr}'],
    [0xbdf0, 0, 'pop {r4-r7, pc}'],
    [0xd1fe, 0, 'bne 0x1000'],
    [0xb108, 0, 'cbz r0, 0x1006'],
    [0xbf1c, 0, 'itt ne'],
    [0xf000, 0xf802, 'bl 0x1008'],
    [0xf04f, 0x30ff, 'mov.w r0, #-1'],
    [0xeb01, 0x0282, 'add.w r2, r1, r2, lsl #2'],
    [0xf851, 0x2b04, 'ldr r2, [r1], #4'],
    [0xe9d0, 0x1202, 'ldrd r1, r2, [r0, #8]'],
    [0xfb01, 0xf202, 'mul r2, r1, r2'],
    [0xfb01, 0x3202, 'mla r2, r1, r2, r3'],
    [0xfbb1, 0xf2f2, 'udiv r2, r1, r2'],
    [0xf3c1, 0x0207, 'ubfx r2, r1, #0, #8'],
    [0xf3ef, 0x8308, 'mrs r3, msp'],
    [0xee30, 0x0a81, 'vadd.f32 s0, s1, s2'],
    [0xeef1, 0xfa10, 'vmrs APSR_nzcv, fpscr'],
    [0xed2d, 0x8b02, 'vstmdb sp!, {d8}'],
    [0xde00, 0, 'udf #0'],
  ])('writes %i %i as %s', (first, second, wanted) => {
    expect(text(first, second)).toBe(wanted);
  });

  it('adds the condition of an IT block', () => {
    // IT EQ: one instruction, which leaves the flags alone.
    expect(text(0x1889, 0, 0x08)).toBe('addeq r1, r1, r2');
    expect(text(0xfb01, 0xf202, 0x18)).toBe('mulne r2, r1, r2');
  });
});
