import type { Operands, Semantics } from '../builder.ts';
import { add, and, constant, not, or, sub, xor, type Expr } from '../ir.ts';
import type { Shifted } from './shift.ts';

/** The operations that the data-processing encodings share, by their names in assembly. */
export type AluName =
  | 'and'
  | 'bic'
  | 'orr'
  | 'orn'
  | 'eor'
  | 'mov'
  | 'mvn'
  | 'tst'
  | 'teq'
  | 'add'
  | 'adc'
  | 'sub'
  | 'sbc'
  | 'rsb'
  | 'cmp'
  | 'cmn';

const LOGIC: Partial<Record<AluName, (x: Expr, y: Expr) => Expr>> = {
  and,
  bic: (x, y) => and(x, not(y)),
  orr: or,
  orn: (x, y) => or(x, not(y)),
  eor: xor,
  mov: (_x, y) => y,
  mvn: (_x, y) => not(y),
  tst: and,
  teq: xor,
};

const isComparison = (name: AluName): boolean => ['tst', 'teq', 'cmp', 'cmn'].includes(name);

/**
 * `d = x op y`, with N Z C V where operand `s` is 1 (comparisons always). `y` comes with the shifter's carry, which
 * only logic takes over. `x` and `y` must not change before the result is written.
 */
export function alu(b: Semantics, o: Operands, name: AluName, x: Expr, operand: Shifted): void {
  const y = operand.value;
  const setsFlags = o['s'] === 1 || isComparison(name);
  const logic = LOGIC[name];
  if (logic !== undefined) {
    const result = b.let(logic(x, y));
    if (setsFlags) {
      const carry = operand.carry === null ? null : b.let(operand.carry);
      b.setNZ(result);
      if (carry !== null) b.put('cf', carry);
    }
    if (!isComparison(name)) b.set('d', result);
    return;
  }
  const isSwapped = name === 'rsb';
  const left = setsFlags ? b.let(isSwapped ? y : x) : isSwapped ? y : x;
  const right = setsFlags ? b.let(isSwapped ? x : y) : isSwapped ? x : y;
  const carryIn = name === 'adc' || name === 'sbc' ? b.get('cf') : null;
  const isAddition = name === 'add' || name === 'cmn' || name === 'adc';
  let sum = isAddition ? add(left, right) : sub(left, right);
  if (carryIn !== null) sum = isAddition ? add(sum, carryIn) : sub(sum, sub(constant(1), carryIn));
  const result = b.let(sum);
  if (setsFlags) {
    if (isAddition) b.setAdditionFlags(left, right, result, carryIn);
    else b.setSubtractionFlags(left, right, result, carryIn);
  }
  if (!isComparison(name)) b.set('d', result);
}
