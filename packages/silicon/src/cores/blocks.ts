import type { CodeIndex } from './code-index.ts';
import type { Handlers, Op } from './handlers.ts';
import { isWide } from './decoder.ts';
import type { CoreMemory } from './memory.ts';
import { MEMORY_SIZE, offsetOf, SYSRAM_OFFSET, XIP_OFFSET } from './state.ts';

/** A run of instructions with one entry, made ready. It never begins inside an IT block. */
export interface Block {
  readonly ops: readonly Op[];
  /** Where it begins: offset from `TCM_AT`. */
  readonly offset: number;
  /** The address behind it. */
  readonly next: number;
  /** EPSR.IT behind it: not 0 where the instruction that follows must run by itself. */
  readonly nextIt: number;
  /** How often the interpreter has run it. */
  heat: number;
}

const LONGEST_BLOCK = 64;

/** Where the memory that holds an offset ends. */
export function endOfMemory(offset: number): number {
  if (offset < SYSRAM_OFFSET) return SYSRAM_OFFSET;
  return offset < XIP_OFFSET ? XIP_OFFSET : MEMORY_SIZE;
}

/** Keeps the blocks that the interpreter has met, until their bytes change. */
export class Blocks {
  readonly #handlers: Handlers;
  readonly #memory: CoreMemory;
  readonly #index: CodeIndex;
  /** Offsets that calls go to: where functions begin. */
  readonly #functions = new Set<number>();
  readonly #at = new Int32Array(MEMORY_SIZE / 2);
  #blocks: (Block | null)[] = [null];

  constructor(parts: { handlers: Handlers; memory: CoreMemory; index: CodeIndex }) {
    this.#handlers = parts.handlers;
    this.#memory = parts.memory;
    this.#index = parts.index;
  }

  /** The block at an address, or `null` where no instruction can be fetched. */
  get(address: number): Block | null {
    const offset = offsetOf(address);
    if (offset < 0) return null;
    const known = this.#blocks[this.#at[offset >> 1] ?? 0];
    return known ?? this.#decode(address, offset);
  }

  /** Offsets that are called. */
  noteFunctions(offsets: readonly number[]): void {
    for (const each of offsets) this.#functions.add(each);
  }

  /** The nearest known beginning of a function at or before an offset, and not further away than `reach`. */
  functionBefore(offset: number, reach: number): number | null {
    let nearest: number | null = null;
    for (const each of this.#functions) {
      if (each <= offset && offset - each < reach && (nearest === null || each > nearest)) nearest = each;
    }
    return nearest;
  }

  /** A single instruction, not kept; `null` where none can be fetched. */
  single(address: number, it: number): Op | null {
    const offset = offsetOf(address);
    if (offset < 0 || !this.#isWhole(offset, endOfMemory(offset))) return null;
    return this.#handlers.op(address, offset, it);
  }

  clear(): void {
    this.#at.fill(0);
    this.#functions.clear();
    this.#blocks = [null];
  }

  /** Whether an instruction lies at an offset, in a memory that ends at `end`. */
  #isWhole(offset: number, end: number): boolean {
    return offset + 2 <= end && (offset + 4 <= end || !isWide(this.#memory.get(offset, 2)));
  }

  #decode(address: number, offset: number): Block | null {
    const ops: Op[] = [];
    let at = offset;
    let it = 0;
    // What lies behind it from `TCM_AT` on is another memory, which has other addresses.
    const end = endOfMemory(offset);
    while (this.#isWhole(at, end)) {
      const op = this.#handlers.op((address + at - offset) | 0, at, it);
      // An ending inside an IT block may come back into it from an exception: the core steps over it.
      if (op.instruction.ends && op.nextIt !== 0) break;
      ops.push(op);
      at += op.instruction.size;
      it = op.nextIt;
      if (op.instruction.ends || (ops.length >= LONGEST_BLOCK && it === 0)) break;
    }
    if (ops.length === 0) return null;
    const last = ops[ops.length - 1];
    if (last?.instruction.row.name === 'BL T1') this.noteFunctions([offset + last.pc + last.i - address]);
    const block: Block = { ops, offset, next: (address + at - offset) | 0, nextIt: it, heat: 0 };
    const number = this.#blocks.length;
    this.#blocks.push(block);
    this.#at[offset >> 1] = number;
    const drop = (): void => {
      this.#blocks[number] = null;
      if (this.#at[offset >> 1] === number) this.#at[offset >> 1] = 0;
    };
    this.#index.add({ first: offset, end: at, drop });
    return block;
  }
}
