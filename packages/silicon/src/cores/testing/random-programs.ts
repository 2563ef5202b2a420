import type { Operands } from '../builder.ts';
import { decode, isWide, type Instruction } from '../decoder.ts';
import type { Row } from '../isa/row.ts';
import { ROWS } from '../isa/table.ts';
import { TCM } from '../state.ts';

/** 16 registers (15: PC), APSR, FPSCR, 32 single-precision registers. */
export const CASE_WORDS = 50;

/** A short program and the state that it starts from. */
export interface Case {
  readonly address: number;
  /** Its bytes, instruction by instruction. */
  readonly instructions: readonly Uint8Array[];
  readonly rows: readonly Row[];
  readonly state: Int32Array;
}

/** An endless row of 32-bit numbers from a seed (xorshift32). */
export interface Random {
  readonly word: () => number;
  readonly below: (below: number) => number;
}

/** Starts the row of a seed. */
export function randomOf(seed: number): Random {
  let state = (Math.imul(seed + 1, 0x9e37_79b1) ^ 0x6d2b_79f5) | 1;
  const word = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
  return { word, below: (below) => (word() >>> 0) % below };
}

/** Where programs lie and where their data does: apart, so that no store meets code but by aim. */
export const CODE = { base: TCM.base + 0x4000, size: 0x8000 } as const;
const DATA = { base: TCM.base + 0x1_8000, size: 0x1_0000 } as const;
const EDGES = [0, 1, -1, 0x7fff_ffff, 0x8000_0000 | 0, 0x7fff, 0x8000, 0xffff, 0x80, 0x7f, 31, 32, 33, 0xff];
const FLOAT_EDGES = [
  0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7f80_0001, 0xffc1_2345,
  0x0080_0000, 0x0080_0001, 0x007f_ffff, 0x0000_0001, 0x7f7f_ffff, 0x4f00_0000, 0x4eff_ffff, 0x4f80_0000,
  0x3f00_0000, 0x3fc0_0000, 0x4b00_0001, 0x4b80_0000, 0x3380_0000, 0x477f_e000, 0x3880_0000,
];

function randomValue(random: Random): number {
  const kind = random.below(20);
  if (kind < 11) return DATA.base + 0x1000 + random.below(DATA.size - 0x2000);
  if (kind < 14) return (DATA.base + 0x1000 + random.below(DATA.size - 0x2000)) & ~3;
  if (kind < 17) return random.word();
  if (kind < 18) return random.below(256);
  return EDGES[random.below(EDGES.length)] ?? 0;
}

function randomFloat(random: Random): number {
  const kind = random.below(10);
  if (kind < 3) return (FLOAT_EDGES[random.below(FLOAT_EDGES.length)] ?? 0) | 0;
  if (kind < 4) return random.word();
  // Exponents near each other make sums that cancel and round.
  return (random.word() & 0x8000_0000) | ((120 + random.below(16)) << 23) | (random.word() & 0x7f_ffff);
}

/** A start state: registers that mostly point into the data, floats that mostly are near 1. */
export function randomState(random: Random): Int32Array {
  const state = new Int32Array(CASE_WORDS);
  for (let index = 0; index < 15; index++) state[index] = randomValue(random);
  state[13] = (DATA.base + 0x4000 + random.below(0x8000)) & ~3;
  state[16] = (random.word() & 0xf800_0000) | (random.word() & 0xf_0000);
  const modes = random.below(4) === 0 ? random.word() & 0x07c0_0000 : 0;
  state[17] = modes | (random.below(2) === 0 ? 0x10 : 0);
  for (let index = 0; index < 32; index++) state[18 + index] = randomFloat(random);
  return state;
}

const fillBits = (bits: string, random: Random): number => {
  let code = 0;
  for (const letter of bits.replaceAll(' ', '')) {
    code = (code << 1) | (letter === '0' || letter === '1' ? Number(letter) : random.word() & 1);
  }
  return code;
};

/** Unicorn keeps the two low bits of SP that the manual says are zero (B1.4.7): no such writes. */
const writesStackPointer = (o: Operands): boolean =>
  [o['d'], o['t'], o['u'], o['a']].includes(13) ||
  (o['n'] === 13 && (o['w'] === 1 || ((o['p'] ?? 0) & 1) === 1));

/** Random bits of a row that decode to it and to nothing the manual leaves open; `null` where luck fails. */
export function encode(row: Row, random: Random, it: number): Uint8Array | null {
  for (let attempt = 0; attempt < 3000; attempt++) {
    const code = fillBits(row.bits, random);
    const isLong = row.bits.length > 16;
    const first = isLong ? code >>> 16 : code & 0xffff;
    const second = isLong ? code & 0xffff : 0;
    if (isWide(first) !== isLong) continue;
    const decoded = decode(first, second, it);
    if (decoded.row !== row || writesStackPointer(decoded.operands)) continue;
    const bytes = new Uint8Array(isLong ? 4 : 2);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, first, true);
    if (isLong) view.setUint16(2, second, true);
    return bytes;
  }
  return null;
}

/** Rows that stay in their program. */
export const STRAIGHT_ROWS = ROWS.filter(
  (row) =>
    row.isSystem !== true && row.ends !== true && row.name !== 'IT T1' && !row.name.startsWith('YIELD'),
);
/** Rows that leave it, or leave it in some encodings: loads to PC. */
export const ENDING_ROWS = ROWS.filter(
  ({ name, isSystem, ends }) =>
    isSystem !== true && (ends === true || (typeof ends === 'function' && !name.startsWith('STR'))),
);
export const IT_ROW = ROWS.find((row) => row.name === 'IT T1');

/** Decodes an encoding, at a given EPSR.IT. */
export function decodeBytes(bytes: Uint8Array, it: number): Instruction {
  const view = new DataView(bytes.buffer);
  return decode(view.getUint16(0, true), bytes.length === 4 ? view.getUint16(2, true) : 0, it);
}

/** A random encoding of a row that leaves its program, or stays in it, as `isLeaving` says; `null` where luck fails. */
export function encodeThat(row: Row, random: Random, it: number, isLeaving: boolean): Uint8Array | null {
  for (let attempt = 0; attempt < (isLeaving ? 100 : 1); attempt++) {
    const bytes = encode(row, random, it);
    if (bytes !== null && decodeBytes(bytes, it).ends === isLeaving) return bytes;
  }
  return null;
}

/** `length` random instructions, now and then an IT block among them; or one that may go elsewhere. */
export function randomCase(random: Random, number: number, length: number): Case {
  const address = CODE.base + ((number * 128) % CODE.size);
  const state = randomState(random);
  const instructions: Uint8Array[] = [];
  const rows: Row[] = [];
  const push = (row: Row | undefined, it: number, isLeaving: boolean): number | null => {
    const bytes = row === undefined ? null : encodeThat(row, random, it, isLeaving);
    if (row === undefined || bytes === null) return null;
    instructions.push(bytes);
    rows.push(row);
    return decodeBytes(bytes, it).nextIt;
  };
  if (length === 1) {
    while (instructions.length === 0) push(ENDING_ROWS[random.below(ENDING_ROWS.length)], 0, true);
    return { address, instructions, rows, state };
  }
  let it = 0;
  // Unicorn rounds fixed-point numbers as FPSCR says; the manual (A7.7.229) to nearest.
  const toNearest = (): void => {
    state[17] = (state[17] ?? 0) & ~0x00c0_0000;
  };
  while (instructions.length < length || it !== 0) {
    const startsIt = it === 0 && random.below(8) === 0;
    const row = startsIt ? IT_ROW : STRAIGHT_ROWS[random.below(STRAIGHT_ROWS.length)];
    it = push(row, it, false) ?? it;
    if (row?.name.startsWith('VCVT (from') === true) toNearest();
  }
  return { address, instructions, rows, state };
}

/** The memory that programs of a seed start from. */
export function randomMemory(random: Random): Uint8Array {
  const bytes = new Uint8Array(TCM.size);
  const words = new Int32Array(bytes.buffer);
  for (let index = 0; index < words.length; index++) words[index] = random.word();
  return bytes;
}
