import type { Operands, Semantics } from '../builder.ts';
import {
  add,
  and,
  constant,
  eq,
  or,
  select,
  sext16,
  sext8,
  shl,
  shrS,
  shrU,
  sub,
  unary,
  rotr,
  type Expr,
} from '../ir.ts';
import { alu, type AluName } from './alu.ts';
import { DATA_NARROW, SHIFTS_BY_REGISTER } from './data-narrow.ts';
import { byteReversed, EXTENSION_NARROW, EXTENSIONS, halvesReversed } from './extension.ts';
import { anyBad, field, isBad, type Row } from './row.ts';
import { decodeShift, shifted, shiftedByRegister, SHIFT } from './shift.ts';

/** ThumbExpandImm_C (A5.3.2): the immediate as `i`; `c` 2: carry stays, else the carry that comes out. */
function expandImmediate(code: number): { readonly i: number; readonly c: number } | null {
  const byte = code & 0xff;
  if (code >>> 10 === 0) {
    const kind = (code >>> 8) & 3;
    if (kind !== 0 && byte === 0) return null;
    const value = [byte, byte | (byte << 16), (byte << 8) | (byte << 24), byte * 0x0101_0101][kind] ?? 0;
    return { i: value | 0, c: 2 };
  }
  const amount = code >>> 7;
  const value = 0x80 | (code & 0x7f);
  const rotated = (value >>> amount) | (value << (32 - amount));
  return { i: rotated, c: rotated >>> 31 };
}

const expanded = (b: Semantics, o: Operands): { value: Expr; carry: Expr | null } => ({
  value: b.imm('i'),
  carry: o['c'] === 2 ? null : constant(o['c'] ?? 0),
});

/** Operation codes of data processing with an immediate and with a shifted register (A5.3.1, A5.3.11). */
const WIDE_OPS: readonly (readonly [number, AluName, AluName | null, AluName | null])[] = [
  // code, with a destination, without one (d = 15, S = 1), without a first operand (n = 15)
  [0, 'and', 'tst', null],
  [1, 'bic', null, null],
  [2, 'orr', null, 'mov'],
  [3, 'orn', null, 'mvn'],
  [4, 'eor', 'teq', null],
  [8, 'add', 'cmn', null],
  [10, 'adc', null, null],
  [11, 'sbc', null, null],
  [13, 'sub', 'cmp', null],
  [14, 'rsb', null, null],
];

/** Which operation a wide data-processing code means, or that it means none. */
function wideForm(
  code: number,
  { s, d, n }: { readonly s: number; readonly d: number; readonly n: number },
): AluName | null {
  const found = WIDE_OPS.find(([each]) => each === code);
  if (found === undefined) return null;
  const [, name, comparison, move] = found;
  if (comparison !== null && d === 15 && s === 1) return comparison;
  return n === 15 && move !== null ? move : name;
}

/** The rules on SP and PC that the manual writes out for each of these encodings. */
function isWideAllowed(name: AluName, d: number, n: number): boolean {
  if (name === 'tst' || name === 'teq') return !isBad(n);
  if (name === 'cmp' || name === 'cmn') return n !== 15;
  if (name === 'mov' || name === 'mvn') return !isBad(d);
  const isSum = name === 'add' || name === 'sub';
  return isSum && n === 13 ? d !== 15 : !isBad(d) && !isBad(n);
}

const ALU_NAMES: readonly AluName[] = [
  ...new Set(WIDE_OPS.flatMap(([, name, comparison, move]) => [name, comparison, move])),
].filter((name) => name !== null);

function wideAsm(name: AluName, last: string): string {
  if (['tst', 'teq', 'cmp', 'cmn'].includes(name)) return `${name}.w <n>, ${last}`;
  if (name === 'mov' || name === 'mvn') return `${name}<.>.w <d>, ${last}`;
  return `${name}<.>.w <d>, <n>, ${last}`;
}

/** Drops the operands that a comparison or a move does not have, so that shapes do not multiply. */
function wideOperands(name: AluName, base: { s: number; d: number; n: number }): Operands {
  if (['tst', 'teq', 'cmp', 'cmn'].includes(name)) return { n: base.n };
  if (name === 'mov' || name === 'mvn') return { d: base.d, s: base.s };
  return { d: base.d, n: base.n, s: base.s };
}

function wideRow(name: AluName): readonly Row[] {
  const hasFirst = name !== 'mov' && name !== 'mvn';
  const code = (WIDE_OPS.find((row) => row.includes(name))?.[0] ?? 0).toString(2).padStart(4, '0');
  const [s, d] = ['tst', 'teq', 'cmp', 'cmn'].includes(name) ? ['1', '1111'] : ['s', 'dddd'];
  const n = hasFirst ? 'nnnn' : '1111';
  const isThis = (fields: Operands): { s: number; d: number; n: number } | null => {
    // What a row's bits fix is not among its fields.
    const { s = 1, d = 15, n = 15 } = fields;
    return wideForm(Number.parseInt(code, 2), { s, d, n }) === name ? { s, d, n } : null;
  };
  return [
    {
      name: `${name.toUpperCase()} (immediate), modified immediate`,
      bits: `11110i0${code}${s}${n} 0iii${d}iiiiiiii`,
      asm: wideAsm(name, '#<i>'),
      decode: (fields) => {
        const base = isThis(fields);
        if (base === null) return null;
        const immediate = expandImmediate(field(fields, 'i'));
        if (immediate === null || !isWideAllowed(name, base.d, base.n)) return 'unpredictable';
        const isLogic = !['add', 'adc', 'sub', 'sbc', 'rsb', 'cmp', 'cmn'].includes(name);
        return { ...wideOperands(name, base), i: immediate.i, c: isLogic ? immediate.c : 2 };
      },
      does: (b, o) => alu(b, o, name, hasFirst ? b.r('n') : constant(0), expanded(b, o)),
    },
    {
      name: `${name.toUpperCase()} (register), shifted`,
      bits: `1110101${code}${s}${n} 0iii${d}iittmmmm`,
      asm: wideAsm(name, '<m><shift>'),
      decode: (fields) => {
        const base = isThis(fields);
        if (base === null) return null;
        const m = field(fields, 'm');
        const shift = decodeShift(field(fields, 't'), field(fields, 'i'));
        const isPlainMove = name === 'mov' && shift.k === SHIFT.NONE && base.s === 0;
        if (isPlainMove) {
          // MOV (register) T3: SP may be one of the two.
          if (base.d === 15 || m === 15 || (base.d === 13 && m === 13)) return 'unpredictable';
        } else {
          if (!isWideAllowed(name, base.d, base.n) || isBad(m)) return 'unpredictable';
          const isSumToStack = (name === 'add' || name === 'sub') && base.d === 13;
          if (isSumToStack && (shift.k > SHIFT.LSL || shift.j > 3)) return 'unpredictable';
        }
        return { ...wideOperands(name, base), m, ...shift };
      },
      does: (b, o) => alu(b, o, name, hasFirst ? b.r('n') : constant(0), shifted(b, o, b.r('m'))),
    },
  ];
}

const packRows: readonly Row[] = [
  {
    name: 'PKHBT, PKHTB T1',
    bits: '111010101100nnnn 0iiiddddiit0mmmm',
    asm: 'pkh<bt> <d>, <n>, <m><shift>',
    decode: (fields) => {
      if (anyBad(fields, 'dnm')) return 'unpredictable';
      const top = field(fields, 't');
      const { k, j } = decodeShift(top * 2, field(fields, 'i'));
      return { d: field(fields, 'd'), n: field(fields, 'n'), m: field(fields, 'm'), k, j, b: top };
    },
    does: (b, o) => {
      const second = shifted(b, o, b.r('m')).value;
      const low = 0xffff;
      const packed =
        o['b'] === 1 ? or(and(b.r('n'), ~low), and(second, low)) : or(and(b.r('n'), low), and(second, ~low));
      b.set('d', packed);
    },
  },
];

const twelveBits = (fields: Operands): Operands => ({ ...fields, i: field(fields, 'i') });

const plainImmediate: readonly Row[] = [
  ...(['add', 'sub'] as const).flatMap((name): Row[] => [
    {
      name: `ADR ${name === 'add' ? 'T3' : 'T2'}`,
      bits: `11110i10${name === 'add' ? '0000' : '1010'}1111 0iiiddddiiiiiiii`,
      asm: `adr.w <d>, pc, ${name === 'add' ? '' : '-'}#<i>`,
      decode: (fields) => (isBad(fields['d']) ? 'unpredictable' : twelveBits(fields)),
      does: (b) => b.set('d', (name === 'add' ? add : sub)(b.pcAligned(), b.imm('i'))),
    },
    {
      name: `${name.toUpperCase()} (immediate) T4`,
      bits: `11110i10${name === 'add' ? '0000' : '1010'}nnnn 0iiiddddiiiiiiii`,
      asm: `${name}w <d>, <n>, #<i>`,
      decode: (fields) => {
        const d = field(fields, 'd');
        const isAllowed = field(fields, 'n') === 13 ? d !== 15 : !isBad(d);
        return isAllowed ? twelveBits(fields) : 'unpredictable';
      },
      does: (b) => b.set('d', (name === 'add' ? add : sub)(b.r('n'), b.imm('i'))),
    },
  ]),
  {
    name: 'MOV (immediate) T3',
    bits: '11110i100100jjjj 0iiiddddiiiiiiii',
    asm: 'movw <d>, #<i>',
    decode: (fields) =>
      isBad(fields['d'])
        ? 'unpredictable'
        : { d: field(fields, 'd'), i: (field(fields, 'j') << 12) | field(fields, 'i') },
    does: (b) => b.set('d', b.imm('i')),
  },
  {
    name: 'MOVT T1',
    bits: '11110i101100jjjj 0iiiddddiiiiiiii',
    asm: 'movt <d>, #<i>',
    decode: (fields) =>
      isBad(fields['d'])
        ? 'unpredictable'
        : { d: field(fields, 'd'), i: (field(fields, 'j') << 12) | field(fields, 'i') },
    does: (b) => b.set('d', or(and(b.r('d'), 0xffff), shl(b.imm('i'), 16))),
  },
  ...(['sbfx', 'ubfx'] as const).map((name): Row => ({
    name: `${name.toUpperCase()} T1`,
    bits: `11110011${name === 'sbfx' ? '01' : '11'}00nnnn 0jjjddddjj0iiiii`,
    asm: `${name} <d>, <n>, #<j>, #<width>`,
    decode: (fields) => {
      if (anyBad(fields, 'dn') || field(fields, 'j') + field(fields, 'i') > 31) return 'unpredictable';
      return fields;
    },
    does: (b) => {
      const above = sub(sub(constant(31), b.imm('i')), b.imm('j'));
      const drop = sub(constant(31), b.imm('i'));
      b.set('d', (name === 'sbfx' ? shrS : shrU)(shl(b.r('n'), above), drop));
    },
  })),
  {
    name: 'BFI, BFC T1',
    bits: '111100110110nnnn 0jjjddddjj0iiiii',
    asm: 'bf<ic> <d>, <n>, #<j>, #<msbwidth>',
    decode: (fields) => {
      const n = field(fields, 'n');
      if (isBad(fields['d']) || n === 13 || field(fields, 'i') < field(fields, 'j')) return 'unpredictable';
      const rest = { d: field(fields, 'd'), i: field(fields, 'i'), j: field(fields, 'j') };
      return n === 15 ? { ...rest, z: 1 } : { ...rest, n, z: 0 };
    },
    does: (b, o) => {
      const width = sub(b.imm('i'), b.imm('j'));
      const ones = b.let(shl(shrU(constant(-1), sub(constant(31), width)), b.imm('j')));
      const kept = and(b.r('d'), sub(constant(-1), ones));
      b.set('d', o['z'] === 1 ? kept : or(kept, and(shl(b.r('n'), b.imm('j')), ones)));
    },
  },
];

const registerRows: readonly Row[] = [
  ...SHIFTS_BY_REGISTER.map(([, name, type]): Row => ({
    name: `${name.toUpperCase()} (register) T2`,
    bits: `11111010 0${type.toString(2).padStart(2, '0')}snnnn 1111dddd0000mmmm`,
    asm: `${name}<.>.w <d>, <n>, <m>`,
    decode: (fields) => (anyBad(fields, 'dnm') ? 'unpredictable' : fields),
    does: (b, o) => alu(b, o, 'mov', constant(0), shiftedByRegister(b, type, b.r('n'), b.r('m'))),
  })),
  ...EXTENSIONS.map(([name, value], index): Row => ({
    name: `${name.toUpperCase()} T2, ${name.replace('xt', 'xta').toUpperCase()} T1`,
    bits: `11111010 0${['000', '100', '001', '101'][index]}nnnn 1111dddd10jjmmmm`,
    asm: `${name.slice(0, 3)}<a>${name.slice(3)} <d>, <addn><m>, ror #<j>`,
    decode: (fields) => {
      if (anyBad(fields, 'dm') || fields['n'] === 13) return 'unpredictable';
      const rest = { d: field(fields, 'd'), m: field(fields, 'm'), j: field(fields, 'j') * 8 };
      return fields['n'] === 15 ? rest : { ...rest, n: field(fields, 'n') };
    },
    does: (b, o) => {
      const extended = value(rotr(b.r('m'), b.imm('j')));
      b.set('d', o['n'] === undefined ? extended : add(b.r('n'), extended));
    },
  })),
  ...(['s', 'u'] as const).map((sign, index): Row => ({
    name: `${sign.toUpperCase()}XTB16, ${sign.toUpperCase()}XTAB16 T1`,
    bits: `11111010 001${index}nnnn 1111dddd10jjmmmm`,
    asm: `${sign}xt<a>b16 <d>, <addn><m>, ror #<j>`,
    decode: (fields) => {
      if (anyBad(fields, 'dm') || fields['n'] === 13) return 'unpredictable';
      const rest = { d: field(fields, 'd'), m: field(fields, 'm'), j: field(fields, 'j') * 8 };
      return fields['n'] === 15 ? rest : { ...rest, n: field(fields, 'n') };
    },
    does: (b, o) => {
      const x = b.let(rotr(b.r('m'), b.imm('j')));
      const extend = (value: Expr): Expr => (sign === 's' ? sext8(value) : and(value, 0xff));
      const base = o['n'] === undefined ? constant(0) : b.r('n');
      const low = and(add(base, extend(x)), 0xffff);
      const top = add(shrU(base, 16), extend(shrU(x, 16)));
      b.set('d', or(low, shl(top, 16)));
    },
  })),
  ...(
    [
      ['rev', '1000', byteReversed],
      ['rev16', '1001', halvesReversed],
      ['revsh', '1011', (x: Expr): Expr => sext16(halvesReversed(x))],
      [
        'rbit',
        '1010',
        (x: Expr, b: Semantics): Expr => {
          const swap = (value: Expr, by: number, mask: number): Expr =>
            b.let(or(and(shrU(value, by), mask), shl(and(value, mask), by)));
          return byteReversed(swap(swap(swap(x, 1, 0x5555_5555), 2, 0x3333_3333), 4, 0x0f0f_0f0f));
        },
      ],
    ] as const
  ).map(([name, code, value]): Row => ({
    name: `${name.toUpperCase()} T2`,
    bits: `111110101001nnnn 1111dddd${code}mmmm`,
    asm: `${name}.w <d>, <m>`,
    decode: (fields) =>
      anyBad(fields, 'dm') || fields['n'] !== fields['m']
        ? 'unpredictable'
        : { d: field(fields, 'd'), m: field(fields, 'm') },
    does: (b) => b.set('d', value(b.let(b.r('m')), b)),
  })),
  {
    name: 'CLZ T1',
    bits: '111110101011nnnn 1111dddd1000mmmm',
    asm: 'clz <d>, <m>',
    decode: (fields) =>
      anyBad(fields, 'dm') || fields['n'] !== fields['m']
        ? 'unpredictable'
        : { d: field(fields, 'd'), m: field(fields, 'm') },
    does: (b) => b.set('d', unary('clz', b.r('m'))),
  },
  {
    name: 'SEL T1',
    bits: '111110101010nnnn 1111dddd1000mmmm',
    asm: 'sel <d>, <n>, <m>',
    decode: (fields) => (anyBad(fields, 'dnm') ? 'unpredictable' : fields),
    does: (b) => {
      const lane = (index: number): Expr => {
        const mask = (0xff << (8 * index)) | 0;
        const isSet = eq(and(shrU(b.get('ge'), index), 1), 1);
        return and(select(isSet, b.r('n'), b.r('m')), mask);
      };
      b.set('d', or(or(lane(0), lane(1)), or(lane(2), lane(3))));
    },
  },
];

/** Data processing: moves, sums, logic, shifts, extension, bit fields. */
export const DATA_PROCESSING: readonly Row[] = [
  ...DATA_NARROW,
  ...EXTENSION_NARROW,
  ...ALU_NAMES.flatMap(wideRow),
  ...packRows,
  ...plainImmediate,
  ...registerRows,
];
