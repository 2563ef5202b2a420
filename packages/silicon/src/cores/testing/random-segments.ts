import type { Row } from '../isa/row.ts';
import { ROWS } from '../isa/table.ts';
import { TCM } from '../state.ts';
import {
  CODE,
  decodeBytes,
  encode,
  encodeThat,
  ENDING_ROWS,
  IT_ROW,
  randomMemory,
  randomOf,
  randomState,
  STRAIGHT_ROWS,
  type Random,
} from './random-programs.ts';

/** What a segment's instructions do: follow each other, branch forwards, go round, or end with a jump to anywhere. */
type SegmentKind = 'straight' | 'branching' | 'looping' | 'elsewhere';

/** Instructions with one entry, which end in BKPT or elsewhere. */
export interface Segment {
  readonly kind: SegmentKind;
  readonly address: number;
  /** Where BKPT is, or one beyond the last instruction. */
  readonly end: number;
  /** What surely runs in this order where nothing faults: all of it, or up to the first branch. */
  readonly rows: readonly Row[];
  /** Instructions in all. */
  readonly length: number;
  /** Unicorn rounds fixed-point numbers as FPSCR says, the manual to nearest: a start state must say nearest. */
  readonly needsNearest: boolean;
  /** The register that counts a loop's rounds, or null. */
  readonly counter: number | null;
}

/** A memory full of segments, sheets of which a translator meets at once. */
export interface SegmentImage {
  readonly memory: Uint8Array;
  readonly segments: readonly Segment[];
  /** For each sheet: branches to all of its segments, to run once before them. */
  readonly roots: readonly Segment[];
}

/** One instruction, or a branch to an instruction further on of the same segment. */
type Item =
  | { readonly kind: 'plain'; readonly bytes: Uint8Array; readonly row: Row }
  | { readonly kind: 'branch'; readonly size: 2 | 4; readonly to: number; readonly encode: BranchEncoder };
type BranchEncoder = (distance: number) => readonly number[];

const BKPT = 0xbe00;
/** A sheet is smaller than what is translated at once. */
const SHEET = { instructions: 540, bytes: 3800 } as const;

const ifHolds =
  (condition: number): BranchEncoder =>
  (distance) => [0xd000 | (condition << 8) | ((distance >> 1) & 0xff)];
const ifHoldsWide =
  (condition: number): BranchEncoder =>
  (distance) => [
    0xf000 | ((distance & 0x10_0000) >>> 10) | (condition << 6) | ((distance >> 12) & 0x3f),
    0x8000 | ((distance >> 7) & 0x2000) | ((distance >> 8) & 0x800) | ((distance >> 1) & 0x7ff),
  ];
const always: BranchEncoder = (distance) => [0xe000 | ((distance >> 1) & 0x7ff)];
/** B.W forwards by less than 4 KiB. */
const alwaysWide: BranchEncoder = (distance) => [0xf000, 0xb800 | ((distance >> 1) & 0x7ff)];
const ifZero =
  (register: number, isNot: boolean): BranchEncoder =>
  (distance) => [
    0xb100 | (isNot ? 0x800 : 0) | ((distance & 0x40) << 3) | ((distance & 0x3e) << 2) | register,
  ];

const halves = (values: readonly number[]): Uint8Array => new Uint8Array(Uint16Array.from(values).buffer);

/** A branch to a part; CBZ does not reach the one directly behind it. */
function randomBranch(random: Random, to: number, isNext: boolean): Item {
  const condition = random.below(14);
  const register = random.below(8);
  const choices: (readonly [2 | 4, BranchEncoder])[] = [
    [2, ifHolds(condition)],
    [4, ifHoldsWide(condition)],
    [2, always],
    [4, alwaysWide],
  ];
  if (!isNext) choices.push([2, ifZero(register, random.below(2) === 0)]);
  const [size, encoder] = choices[random.below(choices.length)] ?? [2, always];
  return { kind: 'branch', size, to, encode: encoder };
}

const needsNearest = (items: readonly Item[]): boolean =>
  items.some((item) => item.kind === 'plain' && item.row.name.startsWith('VCVT (from'));

const named = (pattern: RegExp): readonly Row[] => ROWS.filter(({ name }) => pattern.test(name));
/** System instructions that Unicorn's core does as the manual says. Translated code leaves for each. */
const SYSTEM_ROWS = named(/^(DSB|DMB|ISB|MRS|MSR|VMSR)/);
const EXCLUSIVE_ROWS = ['', 'B', 'H'].map((size) => [
  named(new RegExp(`^LDREX${size} T1`)),
  named(new RegExp(`^STREX${size} T1`)),
]);

/** A load-exclusive and the store to the same address, with perhaps something between. */
function pushExclusive(items: Item[], random: Random): void {
  const [[load] = [], [store] = []] = EXCLUSIVE_ROWS[random.below(3)] ?? [];
  if (load === undefined || store === undefined) throw new Error('The table has no exclusive accesses.');
  const first = encode(load, random, 0);
  const last = encode(store, random, 0);
  if (first === null || last === null) return;
  last[0] = ((last[0] ?? 0) & 0xf0) | ((first[0] ?? 0) & 0xf);
  // The word forms have an offset as well.
  if (load.name === 'LDREX T1') last[2] = first[2] ?? 0;
  if (decodeBytes(last, 0).row !== store) return;
  items.push({ kind: 'plain', bytes: first, row: load });
  if (random.below(2) === 0) pushPlain(items, random, 1);
  items.push({ kind: 'plain', bytes: last, row: store });
}

/** Of the special registers APSR alone: the others are not the same in the oracle's world. */
const isOfApsr = (bytes: Uint8Array): boolean => decodeBytes(bytes, 0).operands['x'] === 0;

function pushSystem(items: Item[], random: Random): void {
  if (random.below(2) === 0) {
    pushExclusive(items, random);
    return;
  }
  const row = SYSTEM_ROWS[random.below(SYSTEM_ROWS.length)];
  if (row === undefined) return;
  const isSpecial = row.name.startsWith('M');
  for (let attempt = 0; attempt < 1000; attempt++) {
    const bytes = encode(row, random, 0);
    if (bytes === null || (isSpecial && !isOfApsr(bytes))) continue;
    items.push({ kind: 'plain', bytes, row });
    return;
  }
}

/** Puts plain instructions, IT blocks among them, behind what is there. */
function pushPlain(items: Item[], random: Random, count: number): void {
  let it = 0;
  for (let left = count; left > 0 || it !== 0; left--) {
    const row =
      it === 0 && random.below(8) === 0 ? IT_ROW : STRAIGHT_ROWS[random.below(STRAIGHT_ROWS.length)];
    const bytes = row === undefined ? null : encodeThat(row, random, it, false);
    if (row === undefined || bytes === null) continue;
    items.push({ kind: 'plain', bytes, row });
    it = decodeBytes(bytes, it).nextIt;
  }
}

function branching(random: Random): Item[] {
  const items: Item[] = [];
  const parts = 3 + random.below(3);
  const starts: number[] = [];
  for (let part = 0; part < parts; part++) {
    starts.push(items.length);
    pushPlain(items, random, 1 + random.below(4));
    const to = part + 1 + random.below(parts - part);
    if (part < parts - 1) items.push(randomBranch(random, to, to === part + 1));
  }
  // Targets are parts until here; the last is the segment's end.
  starts.push(items.length);
  return items.map((item) =>
    item.kind === 'branch' ? { ...item, to: starts[item.to] ?? items.length } : item,
  );
}

function looping(random: Random, counter: number): Item[] {
  const items: Item[] = [];
  pushPlain(items, random, 1 + random.below(3));
  const top = items.length;
  pushPlain(items, random, 1 + random.below(3));
  const subtract = STRAIGHT_ROWS.find(({ name }) => name === 'SUB (immediate) T2');
  if (subtract === undefined) throw new Error('SUB (immediate) T2 is not in the table.');
  items.push({ kind: 'plain', bytes: halves([0x3801 | (counter << 8)]), row: subtract });
  items.push({ kind: 'branch', size: 2, to: top, encode: ifHolds(1) });
  pushPlain(items, random, random.below(3));
  return items;
}

/** Conditional branches do not end a translated block: they stand in branching segments. */
const LEAVING_ROWS = ENDING_ROWS.filter(({ name }) => !/^(B T1|B T3|CBZ)/.test(name));

function elsewhere(random: Random): Item[] {
  const items: Item[] = [];
  for (let left = random.below(3); left > 0; left--) {
    const row = STRAIGHT_ROWS[random.below(STRAIGHT_ROWS.length)];
    const bytes = row === undefined ? null : encodeThat(row, random, 0, false);
    if (row !== undefined && bytes !== null) items.push({ kind: 'plain', bytes, row });
  }
  for (;;) {
    const row = LEAVING_ROWS[random.below(LEAVING_ROWS.length)];
    const bytes = row === undefined ? null : encodeThat(row, random, 0, true);
    if (row === undefined || bytes === null) continue;
    items.push({ kind: 'plain', bytes, row });
    return items;
  }
}

const sizeOf = (item: Item): number => (item.kind === 'plain' ? item.bytes.length : item.size);

/** Writes items and what ends them; answers the segment. */
function place(
  memory: Uint8Array,
  address: number,
  items: readonly Item[],
  { kind, counter }: Pick<Segment, 'kind' | 'counter'>,
): Segment {
  const places: number[] = [];
  let at = address;
  for (const item of items) {
    places.push(at);
    at += sizeOf(item);
  }
  places.push(at);
  for (const [index, item] of items.entries()) {
    const here = places[index] ?? at;
    const bytes =
      item.kind === 'plain' ? item.bytes : halves(item.encode((places[item.to] ?? at) - here - 4));
    memory.set(bytes, here - TCM.base);
  }
  memory.set(halves([BKPT]), at - TCM.base);
  const first = items.findIndex((item) => item.kind === 'branch');
  const sure = first < 0 ? items : items.slice(0, first);
  return {
    kind,
    counter,
    address,
    end: at,
    rows: sure.flatMap((item) => (item.kind === 'plain' ? [item.row] : [])),
    length: items.length,
    needsNearest: needsNearest(items),
  };
}

function randomItems(random: Random, kind: SegmentKind, counter: number): readonly Item[] {
  if (kind === 'elsewhere') return elsewhere(random);
  if (kind === 'looping') return looping(random, counter);
  if (kind === 'branching') return branching(random);
  const items: Item[] = [];
  pushPlain(items, random, 1 + random.below(6));
  if (random.below(4) === 0) pushSystem(items, random);
  pushPlain(items, random, 1 + random.below(6));
  // VMSR would choose how fixed-point numbers round.
  const isChosen = items.some((item) => item.kind === 'plain' && item.row.name.startsWith('VMSR'));
  return isChosen && needsNearest(items) ? randomItems(random, kind, counter) : items;
}

/** CBZ reaches 126 bytes, and a segment is shorter; so is a branch by condition. */
const bytesOf = (items: readonly Item[]): number => items.reduce((sum, item) => sum + sizeOf(item), 0) + 2;

/** A memory full of random segments: with `isElsewhere` those that jump to anywhere, else those that stay. */
export function randomSegments(seed: number, isElsewhere: boolean): SegmentImage {
  const random = randomOf(seed);
  const memory = randomMemory(random);
  const segments: Segment[] = [];
  const roots: Segment[] = [];
  let at = CODE.base;
  while (at + SHEET.bytes + 400 < CODE.base + CODE.size) {
    const planned: { items: readonly Item[]; kind: SegmentKind; counter: number | null }[] = [];
    let bytes = 0;
    let instructions = 0;
    while (instructions < SHEET.instructions && bytes < SHEET.bytes) {
      const turn = random.below(8);
      const kind = isElsewhere ? 'elsewhere' : turn < 4 ? 'straight' : turn < 7 ? 'branching' : 'looping';
      const counter = random.below(8);
      const items = randomItems(random, kind, counter);
      if (bytesOf(items) > 120) continue;
      planned.push({ items, kind, counter: kind === 'looping' ? counter : null });
      // Each costs a branch at the root, and its end.
      bytes += bytesOf(items) + 4;
      instructions += items.length + 2;
    }
    const root = at;
    const condition = (index: number): number => (index * 5 + seed) % 14;
    at += 4 * planned.length + 2;
    for (const [index, { items, kind, counter }] of planned.entries()) {
      const segment = place(memory, at, items, { kind, counter });
      const branch = root + 4 * index;
      memory.set(halves(ifHoldsWide(condition(index))(at - branch - 4)), branch - TCM.base);
      segments.push(segment);
      at = segment.end + 2;
    }
    memory.set(halves([BKPT]), root + 4 * planned.length - TCM.base);
    const end = root + 4 * planned.length;
    roots.push({
      kind: 'branching',
      address: root,
      end,
      rows: [],
      length: 0,
      needsNearest: true,
      counter: null,
    });
    at = (at + 3) & ~3;
  }
  return { memory, segments, roots };
}

/** A state to enter a segment with. */
export function stateFor(segment: Segment, random: Random): Int32Array {
  const state = randomState(random);
  if (segment.needsNearest) state[17] = (state[17] ?? 0) & ~0x00c0_0000;
  if (segment.counter !== null) state[segment.counter] = 1 + random.below(20);
  return state;
}
