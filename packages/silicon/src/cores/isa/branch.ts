import type { Operands, Semantics } from '../builder.ts';
import { add, and, binary, constant, eq, ne, or, select, shrU, xor, type Expr } from '../ir.ts';
import { field, isBad, signExtend, type Place, type Row } from './row.ts';

/** Whether a condition holds (A7.3): 0 or 1. 14 and 15 are "always". */
export function conditionHolds(b: Semantics, condition: number): Expr {
  const n = shrU(b.get('nf'), 31);
  const v = shrU(b.get('vf'), 31);
  const isZero = eq(b.get('zf'), 0);
  const isEqual = binary('geS', xor(b.get('nf'), b.get('vf')), constant(0));
  switch (condition) {
    case 0:
      return isZero;
    case 1:
      return ne(b.get('zf'), 0);
    case 2:
      return b.get('cf');
    case 3:
      return eq(b.get('cf'), 0);
    case 4:
      return n;
    case 5:
      return eq(n, 0);
    case 6:
      return v;
    case 7:
      return eq(v, 0);
    case 8:
      return and(b.get('cf'), ne(b.get('zf'), 0));
    case 9:
      return or(eq(b.get('cf'), 0), isZero);
    case 10:
      return isEqual;
    case 11:
      return eq(isEqual, 0);
    case 12:
      return and(isEqual, ne(b.get('zf'), 0));
    case 13:
      return or(eq(isEqual, 0), isZero);
    default:
      return constant(1);
  }
}

/** `i`: how far from PC, signed. */
const target = (b: Semantics): Expr => add({ kind: 'pc' }, b.imm('i'));
const branchNow = (b: Semantics): void => b.branch(target(b));
const branchIf = (b: Semantics, o: Operands): void =>
  b.if(conditionHolds(b, field(o, 'c')), (inner) => inner.branch(target(inner)));
const mayJump = (place: Place): boolean => !place.isInIt || place.isLastInIt;

/** S:I1:I2:imm10:imm11:'0' of the long branches (A7.7.12 T4), I1 = NOT(J1 EOR S). */
function longOffset(fields: Operands): number {
  const s = field(fields, 's');
  const i1 = field(fields, 'p') ^ s ^ 1;
  const i2 = field(fields, 'q') ^ s ^ 1;
  const value = (s << 23) | (i1 << 22) | (i2 << 21) | (field(fields, 'x') << 11) | field(fields, 'y');
  return signExtend(value, 24) * 2;
}

const branches: readonly Row[] = [
  {
    name: 'BX T1',
    bits: '010001110mmmm000',
    asm: 'bx <m>',
    ends: true,
    decode: (fields, place) => (fields['m'] === 15 || !mayJump(place) ? 'unpredictable' : fields),
    does: (b) => {
      b.willExchange(b.r('m'));
      b.exchange(b.r('m'));
    },
  },
  {
    name: 'BLX (register) T1',
    bits: '010001111mmmm000',
    asm: 'blx <m>',
    ends: true,
    decode: (fields, place) => (isBad(fields['m']) || !mayJump(place) ? 'unpredictable' : fields),
    does: (b) => {
      const to = b.let(b.r('m'));
      b.willExchange(to);
      b.setFixed(14, add({ kind: 'pc' }, -1));
      // 0xFxxxxxxx is no exception return here, but an address that cannot be executed.
      b.exchange(select(eq(and(to, 0xf000_0000 | 0), 0xf000_0000 | 0), and(to, 0xefff_ffff | 0), to));
    },
  },
  {
    name: 'CBZ, CBNZ T1',
    bits: '1011z0i1iiiiinnn',
    asm: 'cb<nz> <n>, <target>',
    ends: true,
    decode: (fields, place) =>
      place.isInIt
        ? 'unpredictable'
        : { z: field(fields, 'z'), n: field(fields, 'n'), i: field(fields, 'i') * 2 },
    does: (b, o) => b.if((o['z'] === 1 ? ne : eq)(b.r('n'), 0), (inner) => inner.branch(target(inner))),
  },
  {
    name: 'B T1',
    bits: '1101cccciiiiiiii',
    asm: 'b<cond> <target>',
    ends: true,
    decode: (fields, place) => {
      if (field(fields, 'c') >= 14) return null;
      if (place.isInIt) return 'unpredictable';
      return { c: field(fields, 'c'), i: signExtend(field(fields, 'i'), 8) * 2 };
    },
    does: branchIf,
  },
  {
    name: 'B T2',
    bits: '11100iiiiiiiiiii',
    asm: 'b <target>',
    ends: true,
    decode: (fields, place) =>
      mayJump(place) ? { i: signExtend(field(fields, 'i'), 11) * 2 } : 'unpredictable',
    does: branchNow,
  },
  {
    name: 'B T3',
    bits: '11110sccccxxxxxx 10p0qyyyyyyyyyyy',
    asm: 'b<cond>.w <target>',
    ends: true,
    decode: (fields, place) => {
      const c = field(fields, 'c');
      if (c >= 14) return null;
      if (place.isInIt) return 'unpredictable';
      const top = (field(fields, 's') << 2) | (field(fields, 'q') << 1) | field(fields, 'p');
      const value = (top << 17) | (field(fields, 'x') << 11) | field(fields, 'y');
      return { c, i: signExtend(value, 20) * 2 };
    },
    does: branchIf,
  },
  {
    name: 'B T4',
    bits: '11110sxxxxxxxxxx 10p1qyyyyyyyyyyy',
    asm: 'b.w <target>',
    ends: true,
    decode: (fields, place) => (mayJump(place) ? { i: longOffset(fields) } : 'unpredictable'),
    does: branchNow,
  },
  {
    name: 'BL T1',
    bits: '11110sxxxxxxxxxx 11p1qyyyyyyyyyyy',
    asm: 'bl <target>',
    ends: true,
    decode: (fields, place) => (mayJump(place) ? { i: longOffset(fields) } : 'unpredictable'),
    does: (b) => {
      b.setFixed(14, or({ kind: 'pc' }, 1));
      b.branch(target(b));
    },
  },
];

const nothing = (): void => undefined;
const HINTS16 = ['nop', 'yield', 'wfe', 'wfi', 'sev'] as const;

/** `wfe`, `wfi` and `sev` concern the system; any other hint does nothing (A7.7.88 and the notes of A5.2.5). */
const hintRow = (name: string, bits: string, asm: (typeof HINTS16)[number]): Row => {
  const isPlain = asm === 'nop' || asm === 'yield';
  return isPlain
    ? { name, bits, asm, does: nothing }
    : { name, bits, asm, isSystem: true, ends: true, does: (b) => void b.system(asm) };
};

const narrowSystem: readonly Row[] = [
  ...HINTS16.map((asm, code) =>
    hintRow(`${asm.toUpperCase()} T1`, `10111111${code.toString(2).padStart(4, '0')}0000`, asm),
  ),
  { name: 'hint T1', bits: '10111111hhhh0000', asm: 'hint', decode: () => ({}), does: nothing },
  {
    name: 'IT T1',
    bits: '10111111ccccxxxx',
    asm: 'it<xyz> <firstcond>',
    decode: (fields, place) => {
      const c = field(fields, 'c');
      const x = field(fields, 'x');
      const isMany = (x & (x - 1)) !== 0;
      return place.isInIt || c === 15 || (c === 14 && isMany) ? 'unpredictable' : { c, x };
    },
    does: nothing,
  },
  {
    name: 'CPS T1',
    bits: '10110110011e00xf',
    asm: 'cps<ied> <if>',
    isSystem: true,
    ends: true,
    decode: (fields, place) =>
      place.isInIt || (field(fields, 'x') | field(fields, 'f')) === 0 ? 'unpredictable' : fields,
    does: (b, o) =>
      void b.system('cps', constant(field(o, 'e')), constant(field(o, 'x')), constant(field(o, 'f'))),
  },
  {
    name: 'BKPT T1',
    bits: '10111110iiiiiiii',
    asm: 'bkpt #<i>',
    isSystem: true,
    ends: true,
    does: (b) => void b.system('bkpt', b.imm('i')),
  },
  {
    name: 'SVC T1',
    bits: '11011111iiiiiiii',
    asm: 'svc #<i>',
    isSystem: true,
    ends: true,
    does: (b) => void b.system('svc'),
  },
  {
    name: 'UDF T1',
    bits: '11011110iiiiiiii',
    asm: 'udf #<i>',
    isSystem: true,
    ends: true,
    does: (b) => void b.system('undefined'),
  },
];

const SYSTEM_REGISTERS = [0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 17, 18, 19, 20];
const barriers = [
  ['clrex', '0010'],
  ['dsb', '0100'],
  ['dmb', '0101'],
  ['isb', '0110'],
] as const;
const wideSystem: readonly Row[] = [
  {
    name: 'MSR T1',
    bits: '111100111000nnnn 1000kk00xxxxxxxx',
    asm: 'msr <sysreg>, <n>',
    isSystem: true,
    ends: true,
    decode: (fields) => {
      const x = field(fields, 'x');
      const k = field(fields, 'k');
      if (isBad(fields['n']) || k === 0 || !SYSTEM_REGISTERS.includes(x)) return 'unpredictable';
      if (k !== 2 && x > 3) return 'unpredictable';
      return fields;
    },
    does: (b, o) => void b.system('msr', constant(field(o, 'x')), b.r('n'), constant(field(o, 'k'))),
  },
  {
    name: 'MRS T1',
    bits: '1111001111101111 1000ddddxxxxxxxx',
    asm: 'mrs <d>, <sysreg>',
    isSystem: true,
    decode: (fields) =>
      isBad(fields['d']) || !SYSTEM_REGISTERS.includes(field(fields, 'x')) ? 'unpredictable' : fields,
    does: (b, o) => b.set('d', b.system('mrs', constant(field(o, 'x')))),
  },
  ...HINTS16.map((asm, code) =>
    hintRow(`${asm.toUpperCase()} T2`, `1111001110101111 10000000${code.toString(2).padStart(8, '0')}`, asm),
  ),
  {
    name: 'hint T2',
    bits: '1111001110101111 10000000xxxxxxxx',
    asm: 'hint.w',
    decode: () => ({}),
    does: nothing,
  },
  ...barriers.map(([asm, code]): Row => ({
    name: `${asm.toUpperCase()} T1`,
    bits: `1111001110111111 10001111${code}xxxx`,
    asm,
    isSystem: true,
    ends: true,
    decode: () => ({}),
    does: (b) => void b.system(asm === 'clrex' ? 'clearExclusive' : 'barrier'),
  })),
  {
    name: 'UDF T2',
    bits: '111101111111xxxx 1010yyyyyyyyyyyy',
    asm: 'udf.w',
    isSystem: true,
    ends: true,
    decode: () => ({}),
    does: (b) => void b.system('undefined'),
  },
];

/** Branches, conditions, hints and what speaks to the system. */
export const BRANCH: readonly Row[] = [...narrowSystem, ...branches, ...wideSystem];
