import { and, or, sext16, sext8, shl, shrU, rotr, type Expr } from '../ir.ts';
import type { Row } from './row.ts';

/** The bytes of a word in the other order. */
export const byteReversed = (x: Expr): Expr =>
  or(and(rotr(x, 8), 0xff00_ff00 | 0), and(rotr(x, 24), 0x00ff_00ff));
/** The bytes of each half in the other order. */
export const halvesReversed = (x: Expr): Expr =>
  or(and(shl(x, 8), 0xff00_ff00 | 0), and(shrU(x, 8), 0x00ff_00ff));
/** Extensions by name, and what they make of a register. */
export const EXTENSIONS = [
  ['sxth', sext16],
  ['sxtb', sext8],
  ['uxth', (x: Expr): Expr => and(x, 0xffff)],
  ['uxtb', (x: Expr): Expr => and(x, 0xff)],
] as const;
/** Reversals by name, with their operation codes. */
const REVERSALS = [
  ['rev', '00', byteReversed],
  ['rev16', '01', halvesReversed],
  ['revsh', '11', (x: Expr): Expr => sext16(halvesReversed(x))],
] as const;

/** Extension and reversal in 16 bits. */
export const EXTENSION_NARROW: readonly Row[] = [
  ...EXTENSIONS.map(([name, value], code): Row => ({
    name: `${name.toUpperCase()} T1`,
    bits: `10110010${code.toString(2).padStart(2, '0')}mmmddd`,
    asm: `${name} <d>, <m>`,
    does: (b) => b.set('d', value(b.r('m'))),
  })),
  ...REVERSALS.map(([name, code, value]): Row => ({
    name: `${name.toUpperCase()} T1`,
    bits: `10111010${code}mmmddd`,
    asm: `${name} <d>, <m>`,
    does: (b) => b.set('d', value(b.r('m'))),
  })),
];
