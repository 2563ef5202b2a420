import type { Operands } from '../builder.ts';
import { add, and, constant, mul, sub, type Expr } from '../ir.ts';
import { alu, type AluName } from './alu.ts';
import { field, type Place, type Row } from './row.ts';
import { decodeShift, shifted, shiftedByRegister, SHIFT } from './shift.ts';

const plain = (value: Expr): { value: Expr; carry: null } => ({ value, carry: null });
const flagsOutsideIt = (fields: Operands, place: Place): Operands => ({ ...fields, s: place.isInIt ? 0 : 1 });

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

/** Shifts by a register: operation code of the narrow form, name, and type of shift. */
export const SHIFTS_BY_REGISTER = [
  [2, 'lsl', 0],
  [3, 'lsr', 1],
  [4, 'asr', 2],
  [7, 'ror', 3],
] as const;
const shiftByRegister16: readonly Row[] = SHIFTS_BY_REGISTER.map(([code, name, type]) => ({
  name: `${name.toUpperCase()} (register) T1`,
  bits: `010000${code.toString(2).padStart(4, '0')}mmmddd`,
  asm: `${name}<.> <d>, <m>`,
  decode: flagsOutsideIt,
  does: (b, o) => {
    alu(b, o, 'mov', constant(0), shiftedByRegister(b, type, b.r('d'), b.r('m')));
  },
}));

const high = (fields: Operands): number => (field(fields, 'h') << 3) | field(fields, 'd');

/** Data processing in 16 bits. */
export const DATA_NARROW: readonly Row[] = [
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
