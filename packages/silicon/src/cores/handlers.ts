import { Semantics, shapeOf, type Operands } from './builder.ts';
import { decode, isWide, type Instruction } from './decoder.ts';
import type { FloatUnit } from './fpu.ts';
import { conditionHolds } from './isa/branch.ts';
import type { AccessSize, GuardFault, SystemOp } from './ir.ts';
import { accessorsOf, type CoreMemory, type SlowAccess } from './memory.ts';
import { toJavaScript } from './to-js.ts';

/** What generated code calls for everything that is not plain arithmetic. */
export interface HandlerContext {
  readonly guard: (fault: GuardFault, value: number) => void;
  readonly exchange: (target: number) => void;
  readonly openFloat: () => void;
  readonly loadUnprivileged: (address: number, size: AccessSize) => number;
  readonly storeUnprivileged: (address: number, size: AccessSize, value: number) => void;
  readonly mulHighS: (a: number, b: number) => number;
  readonly mulHighU: (a: number, b: number) => number;
  readonly system: (op: SystemOp, o: Op, ...args: number[]) => number;
}

/** High word of a signed product: 32 times 16 bits at a time, which numbers hold exactly. */
export function mulHighS(a: number, b: number): number {
  const low = a * (b & 0xffff);
  const top = a * (b >> 16);
  return Math.floor((top + Math.floor(low / 0x1_0000)) / 0x1_0000) | 0;
}

/** High word of an unsigned product. */
export function mulHighU(a: number, b: number): number {
  const x = a >>> 0;
  const low = x * (b & 0xffff);
  const top = x * (b >>> 16);
  return Math.floor((top + Math.floor(low / 0x1_0000)) / 0x1_0000) | 0;
}

type Handler = (o: Op) => void;

/** An instruction made ready to run: its handler and its operands, all of one hidden class. */
export interface Op {
  readonly run: Handler;
  /** The instruction's address plus 4. */
  readonly pc: number;
  readonly d: number;
  readonly n: number;
  readonly m: number;
  readonly a: number;
  readonly t: number;
  readonly u: number;
  readonly D: number;
  readonly N: number;
  readonly M: number;
  readonly i: number;
  readonly j: number;
  /** Address of the instruction that follows in memory. */
  readonly next: number;
  readonly it: number;
  readonly nextIt: number;
  /** The encoding, first halfword on top where it is a wide one. */
  readonly code: number;
  readonly instruction: Instruction;
}

/** More shapes than programs have; random code may have any number. */
const MOST_HANDLERS = 20_000;

/**
 * Makes instructions ready: one JavaScript function for every *shape* of instruction, written from the semantics
 * table. Only the table's own text becomes code; what a program contains is data.
 */
export class Handlers {
  readonly #handlers = new Map<string, Handler>();
  /** The same by instruction, which is found sooner. */
  readonly #known = new Map<Instruction, Handler>();
  readonly #make: (body: string) => Handler;
  readonly #memory: CoreMemory;

  constructor(memory: CoreMemory, parts: { context: HandlerContext; fpu: FloatUnit; slow: SlowAccess }) {
    this.#memory = memory;
    const accessors = accessorsOf(memory, parts.slow);
    const names = ['r', 'c', 'fpu', 'load1', 'load2', 'load4', 'store1', 'store2', 'store4'];
    const values: unknown[] = [
      memory.words,
      parts.context,
      parts.fpu,
      accessors.load1,
      accessors.load2,
      accessors.load4,
      accessors.store1,
      accessors.store2,
      accessors.store4,
    ];
    this.#make = (body) => {
      // oxlint-disable-next-line typescript/no-implied-eval -- written from the table alone, see above
      const factory = new Function(...names, `'use strict';return ((o)=>{${body}});`);
      return (factory as (...values: readonly unknown[]) => Handler)(...values);
    };
  }

  /** The instruction at an offset from `TCM_AT`, whose bytes must lie in memory. */
  op(address: number, offset: number, it: number): Op {
    const first = this.#memory.get(offset, 2);
    const second = isWide(first) ? this.#memory.get(offset + 2, 2) : 0;
    const instruction = decode(first, second, it);
    const o = instruction.operands;
    const value = (name: string): number => o[name] ?? 0;
    return {
      run: this.#handler(instruction),
      pc: (address + 4) | 0,
      d: value('d'),
      n: value('n'),
      m: value('m'),
      a: value('a'),
      t: value('t'),
      u: value('u'),
      D: value('D'),
      N: value('N'),
      M: value('M'),
      i: value('i'),
      j: value('j'),
      next: (address + instruction.size) | 0,
      it,
      nextIt: instruction.nextIt,
      code: isWide(first) ? (first << 16) | second : first,
      instruction,
    };
  }

  #handler(instruction: Instruction): Handler {
    const known = this.#known.get(instruction);
    if (known !== undefined) return known;
    const handler = this.#handlerOfShape(instruction);
    if (this.#known.size >= MOST_HANDLERS) this.#known.clear();
    this.#known.set(instruction, handler);
    return handler;
  }

  #handlerOfShape({ row, operands, condition }: Instruction): Handler {
    const key = `${row.name};${condition};${row.name === 'UNDEFINED' ? '' : shapeOf(operands)}`;
    const known = this.#handlers.get(key);
    if (known) return known;
    if (this.#handlers.size >= MOST_HANDLERS) this.#handlers.clear();
    const handler = this.#make(bodyOf(row, operands, condition));
    this.#handlers.set(key, handler);
    return handler;
  }
}

function bodyOf(row: Instruction['row'], operands: Operands, condition: number): string {
  const semantics = new Semantics(operands, true);
  row.does(semantics, operands);
  const test = condition === 14 ? null : conditionHolds(semantics, condition);
  return toJavaScript(semantics.statements, test);
}
