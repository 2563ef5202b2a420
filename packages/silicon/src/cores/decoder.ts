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

const patterns = ROWS.map(patternOf);
const is16 = (pattern: Pattern): boolean => pattern.row.bits.length === 16;
/** Candidates by the upper bits of the first halfword: 10 of a narrow one, 7 of a wide one. */
const narrow = bucketed(patterns.filter(is16), 10, 6);
const wide = bucketed(
  patterns.filter((pattern) => !is16(pattern)),
  7,
  25,
);

function bucketed(all: readonly Pattern[], bits: number, shift: number): readonly (readonly Pattern[])[] {
  return Array.from({ length: 1 << bits }, (_, bucket) => {
    const mask = ((1 << bits) - 1) << shift;
    return all.filter((pattern) => ((bucket << shift) & mask & pattern.mask) === (pattern.value & mask));
  });
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

/** Instructions that were decoded: programs repeat themselves, and both engines ask. Random code has no end of them. */
const decoded = new Map<number, Instruction>();
const MOST_DECODED = 50_000;

/** Decodes the instruction of two halfwords (the second counts only where `isWide(first)`) at a given EPSR.IT. */
export function decode(first: number, second: number, it: number): Instruction {
  const key = it * 2 ** 32 + first * 2 ** 16 + (isWide(first) ? second : 0);
  const known = decoded.get(key);
  if (known !== undefined) return known;
  if (decoded.size >= MOST_DECODED) decoded.clear();
  const instruction = decodeAnew(first, second, it);
  decoded.set(key, instruction);
  return instruction;
}

function decodeAnew(first: number, second: number, it: number): Instruction {
  const isLong = isWide(first);
  const code = isLong ? (first << 16) | second : first;
  const candidates = isLong ? wide[first >>> 9] : narrow[first >>> 6];
  const place: Place = { isInIt: it !== 0, isLastInIt: (it & 0xf) === 8 };
  const size = isLong ? 4 : 2;
  const condition = it === 0 ? 14 : Math.min(it >>> 4, 14);
  for (const pattern of candidates ?? []) {
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
