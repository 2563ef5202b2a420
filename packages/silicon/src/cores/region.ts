import { endOfMemory } from './blocks.ts';
import { decode, isWide, type Instruction } from './decoder.ts';
import type { CoreMemory } from './memory.ts';

/** An instruction at its offset from `TCM_AT`. */
export interface Placed {
  readonly offset: number;
  readonly instruction: Instruction;
}

/** Instructions with one entry, the first; control leaves at the last, or at a conditional branch before. */
export interface RegionBlock {
  readonly offset: number;
  readonly instructions: readonly Placed[];
  /** Offset of what follows. */
  readonly end: number;
}

/** Blocks that reach each other by jumps to known places: about a function of the guest. */
export interface Region {
  readonly blocks: readonly RegionBlock[];
  /** Where its calls go. */
  readonly calls: readonly number[];
}

const MOST_INSTRUCTIONS = 600;
/** Beyond so many instructions a conditional branch ends a block: one longer than the budget is not run at all. */
const LONG_BLOCK = 24;
/** How far from its entry a region reaches, in bytes. */
export const REACH = 4096;

/** Where an instruction may go that is known now, as offsets from itself; a call comes back behind itself. */
function targetsOf({ row, operands }: Instruction): readonly number[] {
  const isBranch = /^(B T|CBZ|BL T1)/.test(row.name);
  return isBranch && row.name !== 'BL T1' ? [4 + (operands['i'] ?? 0)] : [];
}

/**
 * Where a table branch whose table lies behind it may go. How long the table is only the comparison before it says,
 * as compilers write it: CMP, BHI, TBB.
 */
function tableTargets(
  memory: CoreMemory,
  at: number,
  instructions: ReadonlyMap<number, Instruction>,
): readonly number[] {
  const branch = instructions.get(at);
  const isByte = branch?.row.name === 'TBB T1';
  if ((!isByte && branch?.row.name !== 'TBH T1') || branch.operands['n'] !== 15) return [];
  const comparison = [4, 6, 8]
    .map((distance) => instructions.get(at - distance))
    .find((each) => each?.row.name === 'CMP (immediate) T1' && each.operands['d'] === branch.operands['m']);
  if (comparison === undefined) return [];
  const base = at + 4;
  const entries = (comparison.operands['i'] ?? 0) + 1;
  if (base + 2 * entries > endOfMemory(at)) return [];
  return Array.from(
    { length: entries },
    (_, entry) => base + 2 * memory.get(base + entry * (isByte ? 1 : 2), isByte ? 1 : 2),
  );
}

/**
 * Whether control comes to what follows an instruction that ends a block. Behind a system instruction it may not (a
 * call that never returns, a breakpoint), and data may lie there: the interpreter finds out.
 */
function continues({ row, condition }: Instruction): boolean {
  if (row.isSystem === true) return false;
  const isFinal = /^(B T2|B T4|BX|POP|LDM|LDR|MOV|ADD|TBB|TBH)/.test(row.name);
  return !isFinal || condition !== 14;
}

/** Whether a block may go on behind an instruction that leaves it in one case: nothing but that case's other leads there. */
function isSideExit({ row, condition }: Instruction): boolean {
  return /^(B T1|B T3|CBZ)/.test(row.name) || (condition !== 14 && !row.name.startsWith('BL'));
}

/**
 * Finds the region of an entry, up to what is translated already; `null` where its first instruction is not one for
 * translated code.
 */
export function findRegion(
  memory: CoreMemory,
  entry: number,
  isTranslated: (offset: number) => boolean,
): Region | null {
  const instructions = new Map<number, Instruction>();
  const leaders = new Set([entry]);
  const open = [entry];
  const calls = new Set<number>();
  const limit = endOfMemory(entry);
  const isNear = (offset: number): boolean =>
    offset >= 0 && offset < limit && Math.abs(offset - entry) < REACH && endOfMemory(offset) === limit;
  while (open.length > 0 && instructions.size < MOST_INSTRUCTIONS) {
    let at = open.pop() ?? entry;
    let it = 0;
    let length = 0;
    while (instructions.size < MOST_INSTRUCTIONS || it !== 0) {
      const known = instructions.get(at);
      if (known !== undefined) {
        // Code that is met inside and outside an IT block is not translated.
        if (known.it !== it) return null;
        break;
      }
      if (at + 2 > limit || isTranslated(at)) break;
      const first = memory.get(at, 2);
      if (isWide(first) && at + 4 > limit) break;
      const instruction = decode(first, isWide(first) ? memory.get(at + 2, 2) : 0, it);
      instructions.set(at, instruction);
      length++;
      const next = at + instruction.size;
      it = instruction.nextIt;
      if (instruction.ends) {
        if (instruction.row.name === 'BL T1') calls.add(at + 4 + (instruction.operands['i'] ?? 0));
        const after = targetsOf(instruction).map((distance) => at + distance);
        after.push(...tableTargets(memory, at, instructions));
        const goesOn = continues(instruction);
        const staysInBlock = goesOn && isSideExit(instruction) && length < LONG_BLOCK;
        if (goesOn && !staysInBlock) after.push(next);
        for (const target of after) {
          if (!isNear(target) || leaders.has(target) || isTranslated(target)) continue;
          leaders.add(target);
          open.push(target);
        }
        if (!staysInBlock) break;
      }
      at = next;
    }
  }
  const region = blocksOf(instructions, leaders);
  return region === null ? null : { ...region, calls: [...calls] };
}

function blocksOf(
  instructions: ReadonlyMap<number, Instruction>,
  leaders: ReadonlySet<number>,
): Omit<Region, 'calls'> | null {
  const blocks: RegionBlock[] = [];
  for (const leader of [...leaders].sort((a, b) => a - b)) {
    const placed: Placed[] = [];
    let at = leader;
    for (;;) {
      const instruction = instructions.get(at);
      if (instruction === undefined) break;
      if (at !== leader && leaders.has(at)) {
        if (instruction.it !== 0) return null;
        break;
      }
      placed.push({ offset: at, instruction });
      at += instruction.size;
      if (instruction.ends && !(continues(instruction) && isSideExit(instruction))) break;
    }
    const [head] = placed;
    // What the interpreter must do is left to it, entry and all.
    if (head === undefined || head.instruction.row.isSystem === true) continue;
    if (head.instruction.it !== 0) return null;
    blocks.push({ offset: leader, instructions: placed, end: at });
  }
  return blocks.length === 0 ? null : { blocks };
}
