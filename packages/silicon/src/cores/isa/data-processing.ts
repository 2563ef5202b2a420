import type { Operands, Semantics } from '../builder.ts';
import {
  add,
  and,
  constant,
  eq,
  mul,
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
import { anyBad, field, isBad, type Place, type Row } from './row.ts';
import { decodeShift, shifted, shiftedByRegister, SHIFT } from './shift.ts';

const plain = (value: Expr): { value: Expr; carry: null } => ({ value, carry: null });
const flagsOutsideIt = (fields: Operands, place: Place): Operands => ({ ...fields, s: place.isInIt ? 0 : 1 });

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

/* -------------------------------------------------------------------------------------------- 16 bit */

const shiftRows: readonly Row[] = (['LSL', 'LSR', 'ASR'] as const).map((name, type) => ({
  name: type === 0 ? 'LSL (immediate) T1, MOV (register) T2' : `${name} (immediate) T1`,
  bits: `000${type.toString(2).padStart(2, '0')}iiiiimmmddd`,
  asm: `${name.toLowerCase()}<.> <d>, <m>, <shiftj>`,
  decode: (fields, place) => {
    const { k, j } = decodeShift(type, field(fields, 'i'));
    if (k === SHIFT.NONE && place.isInIt) return 'unpredictable';
    return { d: field(fields, 'd'), m: field(fields, 'm'), k, j, s: place.isInIt ? 0 : 1 };
  },
  does: (b, o) => {
    alu(b, o, 'mov', constant(0), shifted(b, o, b.r('m')));
  },
}));

const twoRegisterOps: readonly (readonly [number, AluName])[] = [
  [0, 'and'],
  [1, 'eor'],
  [5, 'adc'],
  [6, 'sbc'],
  [8, 'tst'],
  [10, 'cmp'],
  [11, 'cmn'],
  [12, 'orr'],
  [14, 'bic'],
  [15, 'mvn'],
];
const twoRegisterRows: readonly Row[] = twoRegisterOps.map(([code, name]) => ({
  name: `${name.toUpperCase()} (register) T1`,
  bits: `010000${code.toString(2).padStart(4, '0')}mmmddd`,
  asm: ['tst', 'cmp', 'cmn'].includes(name)
    ? `${name} <d>, <m>`
    : name === 'mvn'
      ? 'mvn<.> <d>, <m>'
      : `${name}<.> <d>, <m>`,
  decode: flagsOutsideIt,
  does: (b, o) => {
    alu(b, o, name, b.r('d'), plain(b.r('m')));
  },
}));

const shiftByRegisterOps = [
  [2, 'lsl', 0],
  [3, 'lsr', 1],
  [4, 'asr', 2],
  [7, 'ror', 3],
] as const;
const shiftByRegister16: readonly Row[] = shiftByRegisterOps.map(([code, name, type]) => ({
  name: `${name.toUpperCase()} (register) T1`,
  bits: `010000${code.toString(2).padStart(4, '0')}mmmddd`,
  asm: `${name}<.> <d>, <m>`,
  decode: flagsOutsideIt,
  does: (b, o) => {
    alu(b, o, 'mov', constant(0), shiftedByRegister(b, type, b.r('d'), b.r('m')));
  },
}));

const high = (fields: Operands): number => (field(fields, 'h') << 3) | field(fields, 'd');

const narrow: readonly Row[] = [
  ...shiftRows,
  ...(['add', 'sub'] as const).flatMap((name, code): Row[] => [
    {
      name: `${name.toUpperCase()} (register) T1`,
      bits: `000110${code}mmmnnnddd`,
      asm: `${name}<.> <d>, <n>, <m>`,
      decode: flagsOutsideIt,
      does: (b, o) => alu(b, o, name, b.r('n'), plain(b.r('m'))),
    },
    {
      name: `${name.toUpperCase()} (immediate) T1`,
      bits: `000111${code}iiinnnddd`,
      asm: `${name}<.> <d>, <n>, #<i>`,
      decode: flagsOutsideIt,
      does: (b, o) => alu(b, o, name, b.r('n'), plain(b.imm('i'))),
    },
    {
      name: `${name.toUpperCase()} (immediate) T2`,
      bits: `0011${code}dddiiiiiiii`,
      asm: `${name}<.> <d>, #<i>`,
      decode: flagsOutsideIt,
      does: (b, o) => alu(b, o, name, b.r('d'), plain(b.imm('i'))),
    },
  ]),
  {
    name: 'MOV (immediate) T1',
    bits: '00100dddiiiiiiii',
    asm: 'mov<.> <d>, #<i>',
    decode: flagsOutsideIt,
    does: (b, o) => alu(b, o, 'mov', constant(0), plain(b.imm('i'))),
  },
  {
    name: 'CMP (immediate) T1',
    bits: '00101dddiiiiiiii',
    asm: 'cmp <d>, #<i>',
    does: (b, o) => alu(b, o, 'cmp', b.r('d'), plain(b.imm('i'))),
  },
  ...twoRegisterRows,
  ...shiftByRegister16,
  {
    name: 'RSB (immediate) T1',
    bits: '0100001001nnnddd',
    asm: 'rsb<.> <d>, <n>, #0',
    decode: flagsOutsideIt,
    does: (b, o) => alu(b, o, 'rsb', b.r('n'), plain(constant(0))),
  },
  {
    name: 'MUL T1',
    bits: '0100001101nnnddd',
    asm: 'mul<.> <d>, <n>, <d>',
    decode: flagsOutsideIt,
    does: (b, o) => {
      const product = b.let(mul(b.r('n'), b.r('d')));
      if (o['s'] === 1) b.setNZ(product);
      b.set('d', product);
    },
  },
  {
    name: 'ADD (register) T2',
    bits: '01000100hmmmmddd',
    asm: 'add <d>, <m>',
    decode: (fields) => {
      const d = high(fields);
      return d === 15 ? (field(fields, 'm') === 15 ? 'unpredictable' : null) : { d, m: field(fields, 'm') };
    },
    does: (b) => b.set('d', add(b.r('d'), b.r('m'))),
  },
  {
    name: 'ADD (register) T2, to PC',
    bits: '010001001mmmm111',
    asm: 'add pc, <m>',
    ends: true,
    decode: (fields, place) => (place.isInIt && !place.isLastInIt ? 'unpredictable' : fields),
    does: (b) => b.branch(and(add({ kind: 'pc' }, b.r('m')), ~1)),
  },
  {
    name: 'CMP (register) T2',
    bits: '01000101hmmmmddd',
    asm: 'cmp <d>, <m>',
    decode: (fields) => {
      const d = high(fields);
      const m = field(fields, 'm');
      return d === 15 || m === 15 || (d < 8 && m < 8) ? 'unpredictable' : { d, m };
    },
    does: (b, o) => alu(b, o, 'cmp', b.r('d'), plain(b.r('m'))),
  },
  {
    name: 'MOV (register) T1',
    bits: '01000110hmmmmddd',
    asm: 'mov <d>, <m>',
    decode: (fields) => {
      const d = high(fields);
      return d === 15 ? null : { d, m: field(fields, 'm') };
    },
    does: (b) => b.set('d', b.r('m')),
  },
  {
    name: 'MOV (register) T1, to PC',
    bits: '010001101mmmm111',
    asm: 'mov pc, <m>',
    ends: true,
    decode: (fields, place) => (place.isInIt && !place.isLastInIt ? 'unpredictable' : fields),
    does: (b) => b.branch(and(b.r('m'), ~1)),
  },
  {
    name: 'ADR T1',
    bits: '10100dddiiiiiiii',
    asm: 'adr <d>, pc, #<i>',
    decode: (fields) => ({ d: field(fields, 'd'), i: field(fields, 'i') * 4 }),
    does: (b) => b.set('d', add(b.pcAligned(), b.imm('i'))),
  },
  {
    name: 'ADD (SP plus immediate) T1',
    bits: '10101dddiiiiiiii',
    asm: 'add <d>, sp, #<i>',
    decode: (fields) => ({ d: field(fields, 'd'), i: field(fields, 'i') * 4 }),
    does: (b) => b.set('d', add(b.fixed(13), b.imm('i'))),
  },
  ...(['add', 'sub'] as const).map((name, code): Row => ({
    name: `${name.toUpperCase()} (SP ${code === 0 ? 'plus' : 'minus'} immediate) ${code === 0 ? 'T2' : 'T1'}`,
    bits: `10110000${code}iiiiiii`,
    asm: `${name} sp, sp, #<i>`,
    decode: (fields) => ({ i: field(fields, 'i') * 4 }),
    does: (b) => b.setFixed(13, code === 0 ? add(b.fixed(13), b.imm('i')) : sub(b.fixed(13), b.imm('i'))),
  })),
];

/** Values that an extension or a reversal makes of a register. */
const byteReversed = (x: Expr): Expr => or(and(rotr(x, 8), 0xff00_ff00 | 0), and(rotr(x, 24), 0x00ff_00ff));
const halvesReversed = (x: Expr): Expr => or(and(shl(x, 8), 0xff00_ff00 | 0), and(shrU(x, 8), 0x00ff_00ff));
const EXTENSIONS = [
  ['sxth', sext16],
  ['sxtb', sext8],
  ['uxth', (x: Expr): Expr => and(x, 0xffff)],
  ['uxtb', (x: Expr): Expr => and(x, 0xff)],
] as const;
const REVERSALS = [
  ['rev', '00', byteReversed],
  ['rev16', '01', halvesReversed],
  ['revsh', '11', (x: Expr): Expr => sext16(halvesReversed(x))],
] as const;

const extendNarrow: readonly Row[] = [
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

/* -------------------------------------------------------------------------------------------- 32 bit */

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
  ...shiftByRegisterOps.map(([, name, type]): Row => ({
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
  ...narrow,
  ...extendNarrow,
  ...ALU_NAMES.flatMap(wideRow),
  ...packRows,
  ...plainImmediate,
  ...registerRows,
];
