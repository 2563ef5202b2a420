import type { Operands, Semantics } from '../builder.ts';
import {
  add,
  and,
  binary,
  constant,
  mul,
  ne,
  or,
  sext16,
  shl,
  shrS,
  shrU,
  sub,
  xor,
  type Expr,
} from '../ir.ts';
import { anyBad, type Row } from './row.ts';

const half = (x: Expr, isTop: boolean): Expr => (isTop ? shrS(x, 16) : sext16(x));
/** Whether the 32-bit sum `sum` of `x` and `y` left the signed range: 0 or 1. */
const overflowed = (x: Expr, y: Expr, sum: Expr): Expr => shrU(and(xor(x, sum), xor(y, sum)), 31);
const orQ = (b: Semantics, flag: Expr): void => b.put('qf', or(b.get('qf'), flag));

/** `d = value + a`, setting Q where that leaves the range. `earlier` is an overflow on the way to `value`. */
function accumulate(b: Semantics, value: Expr, earlier: Expr = constant(0)): void {
  const x = b.let(value);
  const y = b.let(b.r('a'));
  const sum = b.let(add(x, y));
  orQ(b, xor(earlier, overflowed(x, y, sum)));
  b.set('d', sum);
}

/** The two products of a dual multiplication; `x` 1 swaps the second operand's halves. */
function dual(b: Semantics, o: Operands): readonly [Expr, Expr] {
  const isSwapped = o['x'] === 1;
  return [
    b.let(mul(half(b.r('n'), false), half(b.r('m'), isSwapped))),
    b.let(mul(half(b.r('n'), true), half(b.r('m'), !isSwapped))),
  ];
}

const withoutAccumulator = (fields: Operands): Operands | 'unpredictable' => {
  if (anyBad(fields, 'dnm') || fields['a'] === 13) return 'unpredictable';
  if (fields['a'] !== 15) return fields;
  const { a: _a, ...rest } = fields;
  return rest;
};
const hasAccumulator = (o: Operands): boolean => o['a'] !== undefined;
const noneBad =
  (names: string) =>
  (fields: Operands): Operands | 'unpredictable' =>
    anyBad(fields, names) ? 'unpredictable' : fields;

const short: readonly Row[] = [
  {
    name: 'MUL T2, MLA T1',
    bits: '111110110000nnnn aaaadddd0000mmmm',
    asm: 'm<mulmla> <d>, <n>, <m><acc>',
    decode: withoutAccumulator,
    does: (b, o) => {
      const product = mul(b.r('n'), b.r('m'));
      b.set('d', hasAccumulator(o) ? add(product, b.r('a')) : product);
    },
  },
  {
    name: 'MLS T1',
    bits: '111110110000nnnn aaaadddd0001mmmm',
    asm: 'mls <d>, <n>, <m>, <a>',
    decode: noneBad('dnma'),
    does: (b) => b.set('d', sub(b.r('a'), mul(b.r('n'), b.r('m')))),
  },
  {
    name: 'SMULxy T1, SMLAxy T1',
    bits: '111110110001nnnn aaaadddd00xymmmm',
    asm: 'sm<mulmla><xy> <d>, <n>, <m><acc>',
    decode: withoutAccumulator,
    does: (b, o) => {
      const product = mul(half(b.r('n'), o['x'] === 1), half(b.r('m'), o['y'] === 1));
      if (hasAccumulator(o)) accumulate(b, product);
      else b.set('d', product);
    },
  },
  {
    name: 'SMUAD T1, SMLAD T1',
    bits: '111110110010nnnn aaaadddd000xmmmm',
    asm: 'sm<dualadd><cross> <d>, <n>, <m><acc>',
    decode: withoutAccumulator,
    does: (b, o) => {
      const [low, top] = dual(b, o);
      const sum = b.let(add(low, top));
      const early = overflowed(low, top, sum);
      if (hasAccumulator(o)) accumulate(b, sum, early);
      else {
        orQ(b, early);
        b.set('d', sum);
      }
    },
  },
  {
    name: 'SMULWy T1, SMLAWy T1',
    bits: '111110110011nnnn aaaadddd000ymmmm',
    asm: 'sm<mulmla>w<y> <d>, <n>, <m><acc>',
    decode: withoutAccumulator,
    does: (b, o) => {
      const second = o['y'] === 1 ? and(b.r('m'), ~0xffff) : shl(b.r('m'), 16);
      const product = binary('mulHighS', b.r('n'), second);
      if (hasAccumulator(o)) accumulate(b, product);
      else b.set('d', product);
    },
  },
  {
    name: 'SMUSD T1, SMLSD T1',
    bits: '111110110100nnnn aaaadddd000xmmmm',
    asm: 'sm<dualsub><cross> <d>, <n>, <m><acc>',
    decode: withoutAccumulator,
    does: (b, o) => {
      const [low, top] = dual(b, o);
      const difference = sub(low, top);
      if (hasAccumulator(o)) accumulate(b, difference);
      else b.set('d', difference);
    },
  },
  {
    name: 'SMMUL T1, SMMLA T1',
    bits: '111110110101nnnn aaaadddd000rmmmm',
    asm: 'smm<mullma><r> <d>, <n>, <m><acc>',
    decode: withoutAccumulator,
    does: (b, o) => {
      const top = binary('mulHighS', b.r('n'), b.r('m'));
      const rounded = o['r'] === 1 ? add(top, shrU(mul(b.r('n'), b.r('m')), 31)) : top;
      b.set('d', hasAccumulator(o) ? add(b.r('a'), rounded) : rounded);
    },
  },
  {
    name: 'SMMLS T1',
    bits: '111110110110nnnn aaaadddd000rmmmm',
    asm: 'smmls<r> <d>, <n>, <m>, <a>',
    decode: noneBad('dnma'),
    does: (b, o) => {
      const low = b.let(mul(b.r('n'), b.r('m')));
      const top = binary('mulHighS', b.r('n'), b.r('m'));
      const difference = sub(sub(b.r('a'), top), ne(low, 0));
      b.set('d', o['r'] === 1 ? add(difference, shrU(sub(constant(0), low), 31)) : difference);
    },
  },
  {
    name: 'USAD8 T1, USADA8 T1',
    bits: '111110110111nnnn aaaadddd0000mmmm',
    asm: 'usad<a>8 <d>, <n>, <m><acc>',
    decode: withoutAccumulator,
    does: (b, o) => {
      let sum: Expr = hasAccumulator(o) ? b.r('a') : constant(0);
      for (let lane = 0; lane < 4; lane++) {
        const byte = (x: Expr): Expr => and(shrU(x, 8 * lane), 0xff);
        const difference = b.let(sub(byte(b.r('n')), byte(b.r('m'))));
        const sign = shrS(difference, 31);
        sum = b.let(add(sum, sub(xor(difference, sign), sign)));
      }
      b.set('d', sum);
    },
  },
];

/** `d:a`, the high and the low half of a long result, plus a 64-bit value. */
function addLong(b: Semantics, low: Expr, top: Expr): void {
  const x = b.let(low);
  const sum = b.let(add(b.r('a'), x));
  const carry = binary('ltU', sum, x);
  b.set('d', b.let(add(add(b.r('d'), top), carry)));
  b.set('a', sum);
}

const longRegisters = (fields: Operands): Operands | 'unpredictable' =>
  anyBad(fields, 'danm') || fields['a'] === fields['d'] ? 'unpredictable' : fields;

const long: readonly Row[] = [
  ...(['s', 'u'] as const).flatMap((sign, index): Row[] => [
    {
      name: `${sign.toUpperCase()}MULL T1`,
      bits: `1111101110${index}0nnnn aaaadddd0000mmmm`,
      asm: `${sign}mull <a>, <d>, <n>, <m>`,
      decode: longRegisters,
      does: (b) => {
        const low = b.let(mul(b.r('n'), b.r('m')));
        b.set('d', binary(sign === 's' ? 'mulHighS' : 'mulHighU', b.r('n'), b.r('m')));
        b.set('a', low);
      },
    },
    {
      name: `${sign.toUpperCase()}MLAL T1`,
      bits: `1111101111${index}0nnnn aaaadddd0000mmmm`,
      asm: `${sign}mlal <a>, <d>, <n>, <m>`,
      decode: longRegisters,
      does: (b) => {
        const top = b.let(binary(sign === 's' ? 'mulHighS' : 'mulHighU', b.r('n'), b.r('m')));
        addLong(b, mul(b.r('n'), b.r('m')), top);
      },
    },
    {
      name: `${sign.toUpperCase()}DIV T1`,
      bits: `1111101110${index}1nnnn 1111dddd1111mmmm`,
      asm: `${sign}div <d>, <n>, <m>`,
      decode: noneBad('dnm'),
      does: (b) => {
        b.guard(binary('eq', b.r('m'), 0), 'DIVBYZERO');
        b.set('d', binary(sign === 's' ? 'divS' : 'divU', b.r('n'), b.r('m')));
      },
    },
  ]),
  {
    name: 'SMLALxy T1',
    bits: '111110111100nnnn aaaadddd10xymmmm',
    asm: 'smlal<xy> <a>, <d>, <n>, <m>',
    decode: longRegisters,
    does: (b, o) => {
      const product = b.let(mul(half(b.r('n'), o['x'] === 1), half(b.r('m'), o['y'] === 1)));
      addLong(b, product, shrS(product, 31));
    },
  },
  {
    name: 'SMLALD T1',
    bits: '111110111100nnnn aaaadddd110xmmmm',
    asm: 'smlald<cross> <a>, <d>, <n>, <m>',
    decode: longRegisters,
    does: (b, o) => {
      const [low, top] = dual(b, o);
      const sum = b.let(add(low, top));
      // Only 2^30 + 2^30 leaves 32 bits, upwards.
      const sign = sub(overflowed(low, top, sum), shrU(sum, 31));
      addLong(b, sum, b.let(sign));
    },
  },
  {
    name: 'SMLSLD T1',
    bits: '111110111101nnnn aaaadddd110xmmmm',
    asm: 'smlsld<cross> <a>, <d>, <n>, <m>',
    decode: longRegisters,
    does: (b, o) => {
      const [low, top] = dual(b, o);
      const difference = b.let(sub(low, top));
      addLong(b, difference, shrS(difference, 31));
    },
  },
  {
    name: 'UMAAL T1',
    bits: '111110111110nnnn aaaadddd0110mmmm',
    asm: 'umaal <a>, <d>, <n>, <m>',
    decode: longRegisters,
    does: (b) => {
      const low = b.let(mul(b.r('n'), b.r('m')));
      const top = binary('mulHighU', b.r('n'), b.r('m'));
      const first = b.let(add(low, b.r('a')));
      const carry = b.let(add(top, binary('ltU', first, low)));
      const second = b.let(add(first, b.r('d')));
      b.set('d', b.let(add(carry, binary('ltU', second, first))));
      b.set('a', second);
    },
  },
];

/** Multiplication and division. */
export const MULTIPLY: readonly Row[] = [...short, ...long];
