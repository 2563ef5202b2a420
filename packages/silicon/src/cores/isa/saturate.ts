import type { Operands, Semantics } from '../builder.ts';
import {
  add,
  and,
  binary,
  constant,
  ne,
  not,
  or,
  select,
  sext16,
  shl,
  shrS,
  shrU,
  sub,
  xor,
  type Expr,
} from '../ir.ts';
import { anyBad, field, type Row } from './row.ts';

const orQ = (b: Semantics, flag: Expr): void => b.put('qf', or(b.get('qf'), flag));
const clamp = (x: Expr, least: Expr, most: Expr): Expr =>
  select(binary('gtS', x, most), most, select(binary('ltS', x, least), least, x));

/** SatQ of a 32-bit sum or difference: the value, Q where it was bent. */
function saturatingSum(b: Semantics, x: Expr, y: Expr, isDifference: boolean): Expr {
  const result = b.let(isDifference ? sub(x, y) : add(x, y));
  const bent = b.let(
    shrU(isDifference ? and(xor(x, y), xor(x, result)) : and(xor(x, result), xor(y, result)), 31),
  );
  orQ(b, bent);
  return b.let(select(bent, xor(shrS(x, 31), 0x7fff_ffff), result));
}

const sums: readonly Row[] = (['qadd', 'qdadd', 'qsub', 'qdsub'] as const).map((name, code) => ({
  name: `${name.toUpperCase()} T1`,
  bits: `111110101000nnnn 1111dddd10${code.toString(2).padStart(2, '0')}mmmm`,
  asm: `${name} <d>, <m>, <n>`,
  decode: (fields) => (anyBad(fields, 'dnm') ? 'unpredictable' : fields),
  does: (b) => {
    const m = b.let(b.r('m'));
    let n = b.let(b.r('n'));
    if (code % 2 === 1) n = saturatingSum(b, n, n, false);
    b.set('d', saturatingSum(b, m, n, code >= 2));
  },
}));

const toWidth: readonly Row[] = (['ssat', 'usat'] as const).flatMap((name, code): Row[] => {
  const bounds = (b: Semantics): readonly [Expr, Expr] => {
    const most = b.let(sub(shl(constant(1), b.imm('i')), 1));
    return [code === 0 ? not(most) : constant(0), most];
  };
  return [
    {
      name: `${name.toUpperCase()}16 T1`,
      bits: `11110011${code}010nnnn 0000dddd0000iiii`,
      asm: `${name}16 <d>, #<sat>, <n>`,
      decode: (fields) => (anyBad(fields, 'dn') ? 'unpredictable' : fields),
      does: (b) => {
        const [least, most] = bounds(b);
        const low = b.let(sext16(b.r('n')));
        const top = b.let(shrS(b.r('n'), 16));
        const lowResult = b.let(clamp(low, least, most));
        const topResult = b.let(clamp(top, least, most));
        orQ(b, or(ne(low, lowResult), ne(top, topResult)));
        b.set('d', or(and(lowResult, 0xffff), shl(topResult, 16)));
      },
    },
    {
      name: `${name.toUpperCase()} T1`,
      bits: `11110011${code}0h0nnnn 0jjjddddjj0iiiii`,
      asm: `${name} <d>, #<sat>, <n><satshift>`,
      decode: (fields) => {
        if (anyBad(fields, 'dn')) return 'unpredictable';
        return field(fields, 'h') === 1 && field(fields, 'j') === 0 ? null : fields;
      },
      does: (b, o) => {
        const [least, most] = bounds(b);
        const shift = o['h'] === 1 ? shrS : shl;
        const operand = b.let(shift(b.r('n'), b.imm('j')));
        const result = b.let(clamp(operand, least, most));
        orQ(b, ne(operand, result));
        b.set('d', result);
      },
    },
  ];
});

/** What one lane does: its two sources and whether it subtracts. */
type Lane = readonly [n: number, m: number, isDifference: boolean];
const PARALLEL: readonly (readonly [name: string, code: string, bits: 8 | 16, lanes: readonly Lane[]])[] = [
  [
    'add16',
    '001',
    16,
    [
      [0, 0, false],
      [1, 1, false],
    ],
  ],
  [
    'asx',
    '010',
    16,
    [
      [0, 1, true],
      [1, 0, false],
    ],
  ],
  [
    'sax',
    '110',
    16,
    [
      [0, 1, false],
      [1, 0, true],
    ],
  ],
  [
    'sub16',
    '101',
    16,
    [
      [0, 0, true],
      [1, 1, true],
    ],
  ],
  ['add8', '000', 8, [0, 1, 2, 3].map((lane): Lane => [lane, lane, false])],
  ['sub8', '100', 8, [0, 1, 2, 3].map((lane): Lane => [lane, lane, true])],
];
const PREFIXES = [
  ['s', '000', 'plain', true],
  ['q', '001', 'saturate', true],
  ['sh', '010', 'halve', true],
  ['u', '100', 'plain', false],
  ['uq', '101', 'saturate', false],
  ['uh', '110', 'halve', false],
] as const;

const parallel: readonly Row[] = PARALLEL.flatMap(([name, code, bits, lanes]) =>
  PREFIXES.map(([prefix, prefixCode, kind, isSigned]): Row => ({
    name: `${prefix.toUpperCase()}${name.toUpperCase()} T1`,
    bits: `111110101${code}nnnn 1111dddd0${prefixCode}mmmm`,
    asm: `${prefix}${name} <d>, <n>, <m>`,
    decode: (fields: Operands) => (anyBad(fields, 'dnm') ? 'unpredictable' : fields),
    does: (b) => {
      const mask = 2 ** bits - 1;
      const laneOf = (x: Expr, lane: number): Expr =>
        isSigned ? shrS(shl(x, 32 - bits * (lane + 1)), 32 - bits) : and(shrU(x, bits * lane), mask);
      let result: Expr = constant(0);
      let ge: Expr = constant(0);
      for (const [index, [n, m, isDifference]] of lanes.entries()) {
        const value = b.let((isDifference ? sub : add)(laneOf(b.r('n'), n), laneOf(b.r('m'), m)));
        let lane = value;
        if (kind === 'halve') lane = shrS(value, 1);
        if (kind === 'saturate') {
          lane = isSigned
            ? clamp(value, constant(-(2 ** (bits - 1))), constant(2 ** (bits - 1) - 1))
            : clamp(value, constant(0), constant(mask));
        }
        result = b.let(or(result, shl(and(lane, mask), bits * index)));
        if (kind === 'plain') {
          const isSet =
            isSigned || isDifference ? binary('geS', value, constant(0)) : binary('gtS', value, mask);
          const geBits = bits === 16 ? 3 : 1;
          const shifted = select(isSet, constant(geBits << ((index * bits) / 8)), 0);
          ge = b.let(or(ge, shifted));
        }
      }
      if (kind === 'plain') b.put('ge', ge);
      b.set('d', result);
    },
  })),
);

/** Saturating and parallel arithmetic of the DSP extension. */
export const SATURATE: readonly Row[] = [...sums, ...toWidth, ...parallel];
