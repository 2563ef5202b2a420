import { add, constant, shl } from '../ir.ts';
import { anyBad, field, isBad, mayJump, type Row } from './row.ts';

const exclusiveSizes = [
  ['B', '0100', 1],
  ['H', '0101', 2],
] as const;
/** Exclusive accesses, and table branches, which lie among them. */
export const EXCLUSIVES: readonly Row[] = [
  {
    name: 'LDREX T1',
    bits: '111010000101nnnn tttt1111iiiiiiii',
    asm: 'ldrex <t>, [<n>, #<i>]',
    isSystem: true,
    decode: (fields) =>
      isBad(fields['t']) || fields['n'] === 15
        ? 'unpredictable'
        : { t: field(fields, 't'), n: field(fields, 'n'), i: field(fields, 'i') * 4 },
    does: (b) => b.set('t', b.system('loadExclusive', add(b.r('n'), b.imm('i')), constant(4))),
  },
  {
    name: 'STREX T1',
    bits: '111010000100nnnn ttttddddiiiiiiii',
    asm: 'strex <d>, <t>, [<n>, #<i>]',
    isSystem: true,
    decode: (fields) => {
      const d = fields['d'];
      if (anyBad(fields, 'dt') || fields['n'] === 15 || d === fields['n'] || d === fields['t'])
        return 'unpredictable';
      return { ...fields, i: field(fields, 'i') * 4 };
    },
    does: (b) => b.set('d', b.system('storeExclusive', add(b.r('n'), b.imm('i')), constant(4), b.r('t'))),
  },
  ...exclusiveSizes.flatMap(([letter, code, size]): Row[] => [
    {
      name: `LDREX${letter} T1`,
      bits: `111010001101nnnn tttt1111${code}1111`,
      asm: `ldrex${letter.toLowerCase()} <t>, [<n>]`,
      isSystem: true,
      decode: (fields) => (isBad(fields['t']) || fields['n'] === 15 ? 'unpredictable' : fields),
      does: (b) => b.set('t', b.system('loadExclusive', b.r('n'), constant(size))),
    },
    {
      name: `STREX${letter} T1`,
      bits: `111010001100nnnn tttt1111${code}dddd`,
      asm: `strex${letter.toLowerCase()} <d>, <t>, [<n>]`,
      isSystem: true,
      decode: (fields) => {
        const d = fields['d'];
        if (anyBad(fields, 'dt') || fields['n'] === 15 || d === fields['n'] || d === fields['t'])
          return 'unpredictable';
        return fields;
      },
      does: (b) => b.set('d', b.system('storeExclusive', b.r('n'), constant(size), b.r('t'))),
    },
  ]),
  ...([1, 2] as const).map((size): Row => ({
    name: size === 1 ? 'TBB T1' : 'TBH T1',
    bits: `111010001101nnnn 11110000000${size - 1}mmmm`,
    asm: size === 1 ? 'tbb [<n>, <m>]' : 'tbh [<n>, <m>, lsl #1]',
    ends: true,
    decode: (fields, place) =>
      field(fields, 'n') === 13 || isBad(fields['m']) || !mayJump(place) ? 'unpredictable' : fields,
    does: (b) => {
      const offset = b.load(size, add(b.r('n'), size === 1 ? b.r('m') : shl(b.r('m'), 1)));
      b.branch(add({ kind: 'pc' }, shl(offset, 1)));
    },
  })),
];
