import { offsetBy, type Semantics } from '../builder.ts';
import { add, and, constant, sub, type Expr } from '../ir.ts';
import { field, mayJump, type Row } from './row.ts';

const registersOf = (list: number): readonly number[] =>
  Array.from({ length: 16 }, (_, index) => index).filter((index) => (list >>> index) & 1);

/** Loads `list` from ascending addresses; `writeBack` is the base's new value. PC is loaded last, and jumps. */
function loadMultiple(
  b: Semantics,
  { list, address, writeBack }: { list: number; address: Expr; writeBack: (() => void) | null },
): void {
  const start = b.let(address);
  b.guard(and(start, 3), 'UNALIGNED');
  const registers = registersOf(list);
  const values = registers.map((_, index) => b.load(4, add(start, 4 * index)));
  const last = values[values.length - 1];
  if (list >= 0x8000 && last !== undefined) b.willExchange(last);
  writeBack?.();
  for (const [index, register] of registers.entries()) {
    const value = values[index];
    if (value === undefined) continue;
    if (register === 15) b.exchange(value);
    else b.setFixed(register, value);
  }
}

function storeMultiple(b: Semantics, list: number, address: Expr): void {
  const start = b.let(address);
  b.guard(and(start, 3), 'UNALIGNED');
  for (const [index, register] of registersOf(list).entries()) {
    b.store(4, add(start, 4 * index), b.fixed(register));
  }
}

const count = (list: number): number => registersOf(list).length;

/** Loads and stores of register lists. */
export const MEMORY_LISTS: readonly Row[] = [
  {
    name: 'PUSH T1',
    bits: '1011010hllllllll',
    asm: 'push <list>',
    decode: (fields) => {
      const l = field(fields, 'l') | (field(fields, 'h') << 14);
      return l === 0 ? 'unpredictable' : { l };
    },
    does: (b, o) => {
      const address = b.let(sub(b.fixed(13), 4 * count(field(o, 'l'))));
      storeMultiple(b, field(o, 'l'), address);
      b.setFixed(13, address);
    },
  },
  {
    name: 'POP T1',
    bits: '1011110hllllllll',
    asm: 'pop <list>',
    ends: (o) => field(o, 'l') >= 0x8000,
    decode: (fields, place) => {
      const l = field(fields, 'l') | (field(fields, 'h') << 15);
      return l === 0 || (l >= 0x8000 && !mayJump(place)) ? 'unpredictable' : { l };
    },
    does: (b, o) => {
      const list = field(o, 'l');
      const writeBack = (): void => b.setFixed(13, add(b.fixed(13), 4 * count(list)));
      loadMultiple(b, { list, address: b.fixed(13), writeBack });
    },
  },
  {
    name: 'STM T1',
    bits: '11000nnnllllllll',
    asm: 'stm <n>!, <list>',
    decode: (fields) => {
      const l = field(fields, 'l');
      const n = field(fields, 'n');
      // A base that is stored but not first would be stored as an unknown value.
      const isUnknown = (l >>> n) & 1 && (l & ((1 << n) - 1)) !== 0;
      return l === 0 || isUnknown ? 'unpredictable' : { n, l };
    },
    does: (b, o) => {
      const base = b.let(b.r('n'));
      storeMultiple(b, field(o, 'l'), base);
      b.set('n', add(base, 4 * count(field(o, 'l'))));
    },
  },
  {
    name: 'LDM T1',
    bits: '11001nnnllllllll',
    asm: 'ldm <n><!>, <list>',
    decode: (fields) => {
      const l = field(fields, 'l');
      const n = field(fields, 'n');
      return l === 0 ? 'unpredictable' : { n, l, w: (l >>> n) & 1 ? 0 : 1 };
    },
    does: (b, o) => {
      const list = field(o, 'l');
      const writeBack = o['w'] === 1 ? (): void => b.set('n', add(b.r('n'), 4 * count(list))) : null;
      loadMultiple(b, { list, address: b.r('n'), writeBack });
    },
  },
  ...(['ia', 'db'] as const).flatMap((order): Row[] => {
    const code = order === 'ia' ? '01' : '10';
    const start = (b: Semantics, list: number): Expr =>
      order === 'ia' ? b.r('n') : sub(b.r('n'), 4 * count(list));
    const after = (b: Semantics, list: number): Expr =>
      offsetBy(b.r('n'), constant(4 * count(list)), order === 'ia');
    return [
      {
        name: `LDM${order.toUpperCase()} T2`,
        bits: `1110100${code}0w1nnnn llllllllllllllll`,
        asm: `ldm${order}.w <n><!>, <list>`,
        ends: (o) => field(o, 'l') >= 0x8000,
        decode: (fields, place) => {
          const l = field(fields, 'l');
          const n = field(fields, 'n');
          const isBoth = (l & 0xc000) === 0xc000;
          if (n === 15 || count(l) < 2 || isBoth || l & 0x2000) return 'unpredictable';
          if (l >= 0x8000 && !mayJump(place)) return 'unpredictable';
          return field(fields, 'w') === 1 && (l >>> n) & 1 ? 'unpredictable' : fields;
        },
        does: (b, o) => {
          const list = field(o, 'l');
          const writeBack = o['w'] === 1 ? (): void => b.set('n', after(b, list)) : null;
          loadMultiple(b, { list, address: start(b, list), writeBack });
        },
      },
      {
        name: `STM${order.toUpperCase()} T2`,
        bits: `1110100${code}0w0nnnn llllllllllllllll`,
        asm: `stm${order}.w <n><!>, <list>`,
        decode: (fields) => {
          const l = field(fields, 'l');
          const n = field(fields, 'n');
          if (n === 15 || count(l) < 2 || l & 0xa000) return 'unpredictable';
          return field(fields, 'w') === 1 && (l >>> n) & 1 ? 'unpredictable' : fields;
        },
        does: (b, o) => {
          const list = field(o, 'l');
          storeMultiple(b, list, start(b, list));
          if (o['w'] === 1) b.set('n', after(b, list));
        },
      },
    ];
  }),
];
