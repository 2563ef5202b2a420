import type { Operands } from './builder.ts';
import { constant } from './ir.ts';
import type { Place, Row } from './isa/row.ts';
import { ROWS } from './isa/table.ts';

/** One decoded instruction. */
export interface Instruction {
  readonly row: Row;
  readonly operands: Operands;
  readonly size: 2 | 4;
  /** 0 to 13, or 14: always. */
  readonly condition: number;
  /** EPSR.IT before this instruction and after it. */
  readonly it: number;
  readonly nextIt: number;
  /** Nothing that follows belongs to the same block. */
  readonly ends: boolean;
}

/** What no row accepts: undefined instructions, and those whose behaviour the manual leaves open. */
const UNDEFINED: Row = {
  name: 'UNDEFINED',
  bits: '',
  asm: '.inst',
  isSystem: true,
  ends: true,
  does: (b, o) => void b.system('undefined', constant(o['x'] ?? 0)),
};

interface Pattern {
  readonly row: Row;
  readonly mask: number;
  readonly value: number;
  readonly fields: readonly (readonly [name: string, places: readonly number[]])[];
}

function patternOf(row: Row): Pattern {
  const bits = row.bits.replaceAll(' ', '');
  const width = bits.length;
  if (width !== 16 && width !== 32) throw new Error(`${row.name}: ${width} bits`);
  let mask = 0;
  let value = 0;
  const fields = new Map<string, number[]>();
  for (const [index, letter] of Array.from(bits).entries()) {
    const place = width - 1 - index;
    if (letter === '0' || letter === '1') {
      mask |= 1 << place;
      if (letter === '1') value |= 1 << place;
    } else {
      const places = fields.get(letter) ?? [];
      places.push(place);
      fields.set(letter, places);
    }
  }
  return { row, mask, value, fields: [...fields] };
}

/** Candidates by the upper bits of the first halfword: 10 of a narrow one, 7 of a wide one. */
interface Candidates {
  readonly narrow: readonly (readonly Pattern[])[];
  readonly wide: readonly (readonly Pattern[])[];
}

/** Made with the first instruction: most devices run no real-time app. */
let candidates: Candidates | null = null;

function makeCandidates(): Candidates {
  const patterns = ROWS.map(patternOf);
  const is16 = ({ row }: Pattern): boolean => row.bits.length === 16;
  return {
    narrow: bucketed(patterns.filter(is16), 10, 6),
    wide: bucketed(
      patterns.filter((pattern) => !is16(pattern)),
      7,
      25,
    ),
  };
}

/** By the `bits` of a pattern from `shift` up: each is wherever the bits that it leaves open may put it. */
function bucketed(all: readonly Pattern[], bits: number, shift: number): readonly (readonly Pattern[])[] {
  const full = (1 << bits) - 1;
  const buckets = Array.from({ length: 1 << bits }, (): Pattern[] => []);
  for (const pattern of all) {
    const value = (pattern.value >>> shift) & full;
    const open = full & ~(pattern.mask >>> shift);
    let filled = 0;
    do {
      buckets[value | filled]?.push(pattern);
      filled = (filled - open) & open;
    } while (filled !== 0);
  }
  return buckets;
}

/** Whether a halfword is the first of a wide instruction (A5.1). */
export const isWide = (first: number): boolean => first >>> 11 >= 0b11101;

function operandsOf(pattern: Pattern, code: number): Operands {
  const operands: Record<string, number> = {};
  for (const [name, places] of pattern.fields) {
    let value = 0;
    for (const place of places) value = (value << 1) | ((code >>> place) & 1);
    operands[name] = value;
  }
  return operands;
}

const advance = (it: number): number => ((it & 7) === 0 ? 0 : (it & 0xe0) | ((it << 1) & 0x1f));

/**
 * Instructions that were decoded, by EPSR.IT and by their bits: programs repeat themselves, and both engines ask.
 * Random code has no end of them.
 */
const decoded = Array.from({ length: 0x100 }, (): Map<number, Instruction> | null => null);
let decodedCount = 0;
const MOST_DECODED = 50_000;

/** Decodes the instruction of two halfwords (the second counts only where `isWide(first)`) at a given EPSR.IT. */
export function decode(first: number, second: number, it: number): Instruction {
  // A narrow instruction's first halfword is never that of a wide one.
  const key = isWide(first) ? (first << 16) | second : first;
  const known = (decoded[it] ??= new Map()).get(key);
  if (known !== undefined) return known;
  if (decodedCount >= MOST_DECODED) {
    decoded.fill(null);
    decodedCount = 0;
  }
  const instruction = decodeAnew(first, second, it);
  (decoded[it] ??= new Map()).set(key, instruction);
  decodedCount++;
  return instruction;
}

function decodeAnew(first: number, second: number, it: number): Instruction {
  const isLong = isWide(first);
  const code = isLong ? (first << 16) | second : first;
  candidates ??= makeCandidates();
  const here = isLong ? candidates.wide[first >>> 9] : candidates.narrow[first >>> 6];
  const place: Place = { isInIt: it !== 0, isLastInIt: (it & 0xf) === 8 };
  const size = isLong ? 4 : 2;
  const condition = it === 0 ? 14 : Math.min(it >>> 4, 14);
  for (const pattern of here ?? []) {
    if ((code & pattern.mask) !== pattern.value) continue;
    const { row } = pattern;
    const raw = operandsOf(pattern, code);
    const operands = row.decode ? row.decode(raw, place) : raw;
    if (operands === null) continue;
    if (operands === 'unpredictable') break;
    const isIt = row.name === 'IT T1';
    return {
      row,
      operands,
      size,
      condition: row.name === 'BKPT T1' ? 14 : condition,
      it,
      nextIt: isIt ? ((operands['c'] ?? 0) << 4) | (operands['x'] ?? 0) : advance(it),
      ends: typeof row.ends === 'function' ? row.ends(operands) : row.ends === true,
    };
  }
  return {
    row: UNDEFINED,
    operands: { x: code },
    size,
    condition,
    it,
    nextIt: advance(it),
    ends: true,
  };
}
