import type { Operands, Semantics } from '../builder.ts';
import { and, binary, constant, eq, or, rotr, select, shl, shrS, shrU, sub, type Expr } from '../ir.ts';

/** Kinds of a shift by a constant; 0 leaves the value alone. `ASR32` and `LSR32` are coded as an amount of 0. */
export const SHIFT = { NONE: 0, LSL: 1, LSR: 2, ASR: 3, ROR: 4, RRX: 5, LSR32: 6, ASR32: 7 } as const;

/** DecodeImmShift (A7.4.2): `k` the kind, `j` the amount. */
export function decodeShift(type: number, amount: number): { readonly k: number; readonly j: number } {
  switch (type) {
    case 0:
      return amount === 0 ? { k: SHIFT.NONE, j: 0 } : { k: SHIFT.LSL, j: amount };
    case 1:
      return amount === 0 ? { k: SHIFT.LSR32, j: 0 } : { k: SHIFT.LSR, j: amount };
    case 2:
      return amount === 0 ? { k: SHIFT.ASR32, j: 0 } : { k: SHIFT.ASR, j: amount };
    default:
      return amount === 0 ? { k: SHIFT.RRX, j: 0 } : { k: SHIFT.ROR, j: amount };
  }
}

/** A value and the carry that comes out of making it; `null`: C stays. */
export interface Shifted {
  readonly value: Expr;
  readonly carry: Expr | null;
}

const bit = (value: Expr, place: Expr | number): Expr => and(shrU(value, place), 1);

/** Shift_C by the constant of operands `k` and `j`. */
export function shifted(b: Semantics, o: Operands, value: Expr): Shifted {
  const amount = b.imm('j');
  switch (o['k'] ?? SHIFT.NONE) {
    case SHIFT.LSL:
      return { value: shl(value, amount), carry: bit(value, sub(constant(32), amount)) };
    case SHIFT.LSR:
      return { value: shrU(value, amount), carry: bit(value, sub(amount, 1)) };
    case SHIFT.ASR:
      return { value: shrS(value, amount), carry: bit(value, sub(amount, 1)) };
    case SHIFT.ROR:
      return { value: rotr(value, amount), carry: bit(value, sub(amount, 1)) };
    case SHIFT.RRX:
      return { value: or(shl(b.get('cf'), 31), shrU(value, 1)), carry: and(value, 1) };
    case SHIFT.LSR32:
      return { value: constant(0), carry: shrU(value, 31) };
    case SHIFT.ASR32:
      return { value: shrS(value, 31), carry: shrU(value, 31) };
    default:
      return { value, carry: null };
  }
}

/** Shift_C by a register's low byte: `type` 0 LSL, 1 LSR, 2 ASR, 3 ROR. */
export function shiftedByRegister(b: Semantics, type: number, value: Expr, register: Expr): Shifted {
  const x = b.let(value);
  const amount = b.let(and(register, 0xff));
  const isZero = eq(amount, 0);
  const isLong = binary('gtU', amount, 31);
  const isBeyond = binary('gtU', amount, 32);
  const keep = (carry: Expr): Expr => select(isZero, b.get('cf'), carry);
  const lastOut = bit(x, sub(amount, 1));
  switch (type) {
    case 0:
      return {
        value: select(isLong, constant(0), shl(x, amount)),
        carry: keep(select(isBeyond, constant(0), bit(x, sub(constant(32), amount)))),
      };
    case 1:
      return {
        value: select(isLong, constant(0), shrU(x, amount)),
        carry: keep(select(isBeyond, constant(0), lastOut)),
      };
    case 2:
      return {
        value: shrS(x, select(isLong, constant(31), amount)),
        carry: keep(select(isLong, shrU(x, 31), lastOut)),
      };
    default:
      return { value: rotr(x, amount), carry: keep(shrU(rotr(x, amount), 31)) };
  }
}
