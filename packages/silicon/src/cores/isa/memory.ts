import { offsetBy, type Operands, type Semantics } from '../builder.ts';
import { add, and, shl, type AccessSize, type Expr } from '../ir.ts';
import { EXCLUSIVES } from './exclusive.ts';
import { MEMORY_LISTS } from './memory-lists.ts';
import { field, isBad, mayJump, type Place, type Row } from './row.ts';

interface Access {
  readonly name: string;
  readonly size: AccessSize;
  readonly isSigned?: boolean;
}
const LOADS: readonly Access[] = [
  { name: 'ldrb', size: 1 },
  { name: 'ldrh', size: 2 },
  { name: 'ldr', size: 4 },
  { name: 'ldrsb', size: 1, isSigned: true },
  { name: 'ldrsh', size: 2, isSigned: true },
];
const STORES: readonly Access[] = [
  { name: 'strb', size: 1 },
  { name: 'strh', size: 2 },
  { name: 'str', size: 4 },
];
const sizeCode = (size: AccessSize): string => ({ 1: '00', 2: '01', 4: '10' })[size];

/** `t` from memory; PC among the destinations is a jump. `before` runs when the load has succeeded. */
function loadInto(
  b: Semantics,
  o: Operands,
  { access, address, isUnprivileged = false }: { access: Access; address: Expr; isUnprivileged?: boolean },
  before: () => void = () => undefined,
): void {
  const value = b.load(access.size, address, { isSigned: access.isSigned === true, isUnprivileged });
  if (o['t'] === 15) b.willExchange(value);
  before();
  if (o['t'] === 15) b.exchange(value);
  else b.set('t', value);
}

const goesToPc = (o: Operands): boolean => o['t'] === 15;

/* -------------------------------------------------------------------------------------------- 16 bit */

const byRegister = [
  ['000', STORES[2]],
  ['001', STORES[1]],
  ['010', STORES[0]],
  ['011', LOADS[3]],
  ['100', LOADS[2]],
  ['101', LOADS[1]],
  ['110', LOADS[0]],
  ['111', LOADS[4]],
] as const;

const narrow: readonly Row[] = [
  {
    name: 'LDR (literal) T1',
    bits: '01001tttiiiiiiii',
    asm: 'ldr <t>, [pc, #<i>]',
    decode: (fields) => ({ t: field(fields, 't'), i: field(fields, 'i') * 4 }),
    does: (b) => b.set('t', b.load(4, add(b.pcAligned(), b.imm('i')))),
  },
  ...byRegister.flatMap(([code, access]): Row[] =>
    access === undefined
      ? []
      : [
          {
            name: `${access.name.toUpperCase()} (register) T1`,
            bits: `0101${code}mmmnnnttt`,
            asm: `${access.name} <t>, [<n>, <m>]`,
            does: (b, o) => {
              const address = add(b.r('n'), b.r('m'));
              if (access.name.startsWith('l')) loadInto(b, o, { access, address });
              else b.store(access.size, address, b.r('t'));
            },
          },
        ],
  ),
  ...(
    [
      ['01100', STORES[2]],
      ['01101', LOADS[2]],
      ['01110', STORES[0]],
      ['01111', LOADS[0]],
      ['10000', STORES[1]],
      ['10001', LOADS[1]],
    ] as const
  ).flatMap(([code, access]): Row[] =>
    access === undefined
      ? []
      : [
          {
            name: `${access.name.toUpperCase()} (immediate) T1`,
            bits: `${code}iiiiinnnttt`,
            asm: `${access.name} <t>, [<n>, #<i>]`,
            decode: (fields) => ({
              t: field(fields, 't'),
              n: field(fields, 'n'),
              i: field(fields, 'i') * access.size,
            }),
            does: (b, o) => {
              const address = add(b.r('n'), b.imm('i'));
              if (access.name.startsWith('l')) loadInto(b, o, { access, address });
              else b.store(access.size, address, b.r('t'));
            },
          },
        ],
  ),
  {
    name: 'STR (immediate) T2',
    bits: '10010tttiiiiiiii',
    asm: 'str <t>, [sp, #<i>]',
    decode: (fields) => ({ t: field(fields, 't'), i: field(fields, 'i') * 4 }),
    does: (b) => b.store(4, add(b.fixed(13), b.imm('i')), b.r('t')),
  },
  {
    name: 'LDR (immediate) T2',
    bits: '10011tttiiiiiiii',
    asm: 'ldr <t>, [sp, #<i>]',
    decode: (fields) => ({ t: field(fields, 't'), i: field(fields, 'i') * 4 }),
    does: (b) => b.set('t', b.load(4, add(b.fixed(13), b.imm('i')))),
  },
];

/* -------------------------------------------------------------------------------------------- 32 bit */

function wideSingle(access: Access): readonly Row[] {
  const isLoad = access.name.startsWith('l');
  const upper = access.name.toUpperCase();
  const sign = access.isSigned === true ? '1' : '0';
  const size = sizeCode(access.size);
  const load = isLoad ? '1' : '0';
  /** Whether a destination is allowed; loads of less than a word with t = 15 are hints, in rows of their own. */
  const isFit = (t: number, place: Place): boolean => {
    if (!isLoad) return t !== 15 && (access.size === 4 || t !== 13);
    if (t === 15) return access.size === 4 && mayJump(place);
    return t !== 13 || access.size === 4;
  };
  const move = (b: Semantics, o: Operands, address: Expr, before?: () => void): void => {
    const isUnprivileged = o['p'] === 9;
    if (isLoad) loadInto(b, o, { access, address, isUnprivileged }, before);
    else {
      b.store(access.size, address, b.r('t'), isUnprivileged);
      before?.();
    }
  };
  const rows: Row[] = [
    {
      name: `${upper} (immediate), 12 bits`,
      bits: `1111100${sign}1${size}${load}nnnn ttttiiiiiiiiiiii`,
      asm: `${access.name}.w <t>, [<n>, #<i>]`,
      ends: goesToPc,
      decode: (fields, place) => {
        if (field(fields, 'n') === 15) return isLoad ? null : 'unpredictable';
        return isFit(field(fields, 't'), place) ? fields : 'unpredictable';
      },
      does: (b, o) => move(b, o, add(b.r('n'), b.imm('i'))),
    },
    {
      name: `${upper} (immediate), 8 bits, ${upper}T`,
      bits: `1111100${sign}0${size}${load}nnnn tttt1pppiiiiiiii`,
      asm: `${access.name}<T> <t>, <indexed>`,
      ends: goesToPc,
      decode: (fields, place) => {
        const n = field(fields, 'n');
        const t = field(fields, 't');
        const p = field(fields, 'p');
        if (n === 15) return isLoad ? null : 'unpredictable';
        const isUnprivileged = p === 0b110;
        if (p === 0b000 || p === 0b010 || (isUnprivileged && isBad(t))) return 'unpredictable';
        if (!isFit(t, place) || (p & 1 && n === t)) return 'unpredictable';
        const i = field(fields, 'i');
        // p: bit 2 pre-indexed, bit 1 upwards, bit 0 write-back; 9 stands for unprivileged.
        return { t, n, i, p: isUnprivileged ? 9 : p };
      },
      does: (b, o) => {
        const p = field(o, 'p');
        if (p === 9) {
          move(b, o, add(b.r('n'), b.imm('i')));
          return;
        }
        const base = b.let(b.r('n'));
        const moved = b.let(offsetBy(base, b.imm('i'), (p & 2) !== 0));
        const writeBack = p & 1 ? (): void => b.set('n', moved) : undefined;
        move(b, o, p & 4 ? moved : base, writeBack);
      },
    },
    {
      name: `${upper} (register) T2`,
      bits: `1111100${sign}0${size}${load}nnnn tttt000000jjmmmm`,
      asm: `${access.name}.w <t>, [<n>, <m>, lsl #<j>]`,
      ends: goesToPc,
      decode: (fields, place) => {
        if (field(fields, 'n') === 15) return isLoad ? null : 'unpredictable';
        if (isBad(fields['m']) || !isFit(field(fields, 't'), place)) return 'unpredictable';
        return fields;
      },
      does: (b, o) => move(b, o, add(b.r('n'), shl(b.r('m'), b.imm('j')))),
    },
  ];
  if (isLoad) {
    rows.push({
      name: `${upper} (literal)`,
      bits: `1111100${sign}u${size}11111 ttttiiiiiiiiiiii`,
      asm: `${access.name}.w <t>, [pc, <literal>]`,
      ends: goesToPc,
      decode: (fields, place) => {
        const t = field(fields, 't');
        if (!isFit(t, place)) return 'unpredictable';
        return { t, i: field(fields, 'u') === 1 ? field(fields, 'i') : -field(fields, 'i') };
      },
      does: (b, o) => move(b, o, add(b.pcAligned(), b.imm('i'))),
    });
  }
  return rows;
}

/** PLD and PLI are hints: nothing here has a cache to warm. */
const hints: readonly Row[] = (['pld', 'pli'] as const).flatMap((asm, sign): Row[] => {
  const name = asm.toUpperCase();
  const does = (): void => undefined;
  const decode = (fields: Operands): Operands | null => (field(fields, 'n') === 15 ? null : {});
  return [
    {
      name: `${name} (immediate) T1`,
      bits: `1111100${sign}1001nnnn 1111iiiiiiiiiiii`,
      asm,
      decode,
      does,
    },
    {
      name: `${name} (immediate) T2`,
      bits: `1111100${sign}0001nnnn 11111100iiiiiiii`,
      asm,
      decode,
      does,
    },
    {
      name: `${name} (register) T1`,
      bits: `1111100${sign}0001nnnn 1111000000jjmmmm`,
      asm,
      decode: (fields) => (isBad(fields['m']) ? 'unpredictable' : decode(fields)),
      does,
    },
    {
      name: `${name} (literal) T1`,
      bits: `1111100${sign}u0011111 1111iiiiiiiiiiii`,
      asm,
      decode: () => ({}),
      does,
    },
  ];
});

const pairs: readonly Row[] = [
  {
    name: 'LDRD (immediate, literal) T1',
    bits: '1110100pp1p1nnnn ttttuuuuiiiiiiii',
    asm: 'ldrd <t>, <u>, <indexed>',
    decode: (fields) => {
      const p = field(fields, 'p');
      const n = field(fields, 'n');
      const t = field(fields, 't');
      const u = field(fields, 'u');
      if ((p & 0b101) === 0) return null;
      if (isBad(t) || isBad(u) || t === u) return 'unpredictable';
      if (p & 1 && (n === 15 || n === t || n === u)) return 'unpredictable';
      return { t, u, n, i: field(fields, 'i') * 4, p };
    },
    does: (b, o) => {
      const p = field(o, 'p');
      const base = b.let(o['n'] === 15 ? b.pcAligned() : b.r('n'));
      const moved = b.let(offsetBy(base, b.imm('i'), (p & 2) !== 0));
      const address = p & 4 ? moved : base;
      b.guard(and(address, 3), 'UNALIGNED');
      const first = b.load(4, address);
      const second = b.load(4, add(address, 4));
      if (p & 1) b.set('n', moved);
      b.set('t', first);
      b.set('u', second);
    },
  },
  {
    name: 'STRD (immediate) T1',
    bits: '1110100pp1p0nnnn ttttuuuuiiiiiiii',
    asm: 'strd <t>, <u>, <indexed>',
    decode: (fields) => {
      const p = field(fields, 'p');
      const n = field(fields, 'n');
      const t = field(fields, 't');
      const u = field(fields, 'u');
      if ((p & 0b101) === 0) return null;
      if (isBad(t) || isBad(u) || n === 15) return 'unpredictable';
      if (p & 1 && (n === t || n === u)) return 'unpredictable';
      return { t, u, n, i: field(fields, 'i') * 4, p };
    },
    does: (b, o) => {
      const p = field(o, 'p');
      const base = b.let(b.r('n'));
      const moved = b.let(offsetBy(base, b.imm('i'), (p & 2) !== 0));
      const address = p & 4 ? moved : base;
      b.guard(and(address, 3), 'UNALIGNED');
      b.store(4, address, b.r('t'));
      b.store(4, add(address, 4), b.r('u'));
      if (p & 1) b.set('n', moved);
    },
  },
];

/** Loads, stores and table branches. Hints come first: they are byte and halfword loads to PC. */
export const MEMORY: readonly Row[] = [
  ...narrow,
  ...MEMORY_LISTS,
  ...hints,
  ...LOADS.flatMap(wideSingle),
  ...STORES.flatMap(wideSingle),
  ...EXCLUSIVES,
  ...pairs,
];
