import type { CodeIndex, Derived } from './code-index.ts';
import type { FloatUnit } from './fpu.ts';
import type { FloatOp } from './ir.ts';
import type { CoreMemory } from './memory.ts';
import { findRegion, type Region } from './region.ts';
import { ENTRY_MAP_AT, MEMORY_PAGES, SYSRAM, SYSRAM_OFFSET, TCM, WORD, XIP, XIP_OFFSET } from './state.ts';
import { translateRegion } from './translate.ts';
import { wasm, type FunctionTable } from './wasm-api.ts';
import { CodeWriter, moduleOf, OP } from './wasm-writer.ts';

/** Functions that are kept: each takes some 20 KB. Beyond that everything is translated anew. */
const MOST_FUNCTIONS = 1024;
/** How many translations a program overwrites before it takes twice as many runs to make the next. */
const PATIENCE = 8;

/**
 * Turns hot code into WebAssembly and runs it. A word for every halfword of memory says which function and which of
 * its blocks begins there; a small dispatcher, itself WebAssembly, goes from one to the next.
 */
export class Translator {
  readonly #memory: CoreMemory;
  readonly #index: CodeIndex;
  readonly #entries: Int32Array;
  readonly #table: FunctionTable;
  readonly #dispatch: () => number;
  readonly #floats: Readonly<Record<FloatOp, (...args: number[]) => number>>;
  #used = 1;
  #overwritten = 0;
  #entryOffsets: number[] = [];
  #derived: Derived[] = [];
  /** How many regions have been translated. */
  translated = 0;

  constructor(parts: { memory: CoreMemory; index: CodeIndex; fpu: FloatUnit }) {
    this.#memory = parts.memory;
    this.#index = parts.index;
    this.#entries = parts.memory.words.subarray(ENTRY_MAP_AT / 4);
    this.#table = new wasm.Table({ element: 'anyfunc', initial: MOST_FUNCTIONS });
    const module = new wasm.Module(dispatcher());
    const { exports } = new wasm.Instance(module, { m: { m: parts.memory.linear, t: this.#table }, f: {} });
    const run = exports['x'] as (unused: number) => number;
    this.#dispatch = () => run(0);
    const { fpu } = parts;
    this.#floats = {
      add: (a = 0, b = 0) => fpu.add(a, b),
      sub: (a = 0, b = 0) => fpu.sub(a, b),
      mul: (a = 0, b = 0) => fpu.mul(a, b),
      div: (a = 0, b = 0) => fpu.div(a, b),
      sqrt: (a = 0) => fpu.sqrt(a),
      fma: (a = 0, b = 0, c = 0) => fpu.fma(a, b, c),
      compare: (a = 0, b = 0, c = 0) => fpu.compare(a, b, c),
      toInteger: (a = 0, b = 0, c = 0) => fpu.toInteger(a, b, c),
      fromInteger: (a = 0, b = 0) => fpu.fromInteger(a, b),
      toFixed: (a = 0, b = 0, c = 0, d = 0) => fpu.toFixed(a, b, c, d),
      fromFixed: (a = 0, b = 0, c = 0) => fpu.fromFixed(a, b, c),
      halfToSingle: (a = 0) => fpu.halfToSingle(a),
      singleToHalf: (a = 0) => fpu.singleToHalf(a),
    };
  }

  /**
   * Runs translated code from PC on while there is any. `'interpret'`: it has come to an instruction that only the
   * interpreter runs, or whose block is longer than the budget.
   */
  run(): 'interpret' | 'none' {
    return this.#dispatch() === 0 ? 'none' : 'interpret';
  }

  /**
   * Translates what can be reached from a block that has become hot; better, from the beginning of the function that
   * it is in, so that a loop that was hot first is not translated again with all that is around it. Answers the
   * offsets that the translated code calls; `null`: the block is not one for translated code.
   */
  translate(address: number, offset: number, functionOffset: number | null): readonly number[] | null {
    const isTranslated = (at: number): boolean => this.#entries[at >> 1] !== 0;
    if (isTranslated(offset)) return [];
    const hasFunction = functionOffset !== null && !isTranslated(functionOffset);
    const whole = hasFunction ? findRegion(this.#memory, functionOffset, isTranslated) : null;
    const isIn = whole?.blocks.some((block) => block.offset === offset) === true;
    const region = isIn ? whole : findRegion(this.#memory, offset, isTranslated);
    if (region === null) return null;
    if (this.#used >= MOST_FUNCTIONS) this.clear();
    const { bytes, floats } = translateRegion(region, (at) => (address + at - offset) | 0);
    const imports = Object.fromEntries(floats.map((name) => [name, this.#floats[name]]));
    const { exports } = new wasm.Instance(new wasm.Module(bytes), {
      m: { m: this.#memory.linear },
      f: imports,
    });
    const number = this.#used++;
    this.#table.set(number, exports['x']);
    this.translated++;
    const mine: number[] = [];
    for (const [index, block] of region.blocks.entries()) {
      if (this.#entries[block.offset >> 1] !== 0) continue;
      this.#entries[block.offset >> 1] = (number << 16) | index;
      mine.push(block.offset);
    }
    this.#entryOffsets.push(...mine);
    const drop = (isByProgram: boolean): void => {
      if (isByProgram) this.#overwritten++;
      for (const each of mine) {
        if ((this.#entries[each >> 1] ?? 0) >>> 16 === number) this.#entries[each >> 1] = 0;
      }
    };
    for (const stretch of stretchesOf(region)) {
      const derived = { ...stretch, drop };
      this.#index.add(derived);
      this.#derived.push(derived);
    }
    return isTranslated(offset) ? region.calls : null;
  }

  /**
   * How often a block is to be interpreted before it is translated, where `hotAfter` is for programs that leave their
   * code alone: one that overwrites it again and again must not have it translated each time.
   */
  threshold(hotAfter: number): number {
    return hotAfter * (1 + Math.floor(this.#overwritten / PATIENCE));
  }

  /** Forgets all translations. */
  clear(): void {
    for (const offset of this.#entryOffsets) this.#entries[offset >> 1] = 0;
    for (let number = 1; number < this.#used; number++) this.#table.set(number, null);
    for (const each of this.#derived) this.#index.forget(each);
    this.#entryOffsets = [];
    this.#derived = [];
    this.#used = 1;
  }
}

/** The bytes that a region was made from, without seams between blocks that lie behind each other. */
function stretchesOf({ blocks }: Region): readonly { readonly first: number; readonly end: number }[] {
  const stretches: { first: number; end: number }[] = [];
  for (const { offset, end } of blocks) {
    const last = stretches.at(-1);
    if (last !== undefined && offset <= last.end) last.end = Math.max(last.end, end);
    else stretches.push({ first: offset, end });
  }
  return stretches;
}

/** Goes from one translated function to the next until PC has none, the budget is spent, or one asks to interpret. */
function dispatcher(): Uint8Array {
  const code = new CodeWriter();
  const top = code.label();
  const found = code.label();
  const [distance, entry] = [1, 2];
  code.open(OP.loop, top).open(OP.block, found);
  for (const [memory, offset] of [
    [TCM, 0],
    [XIP, XIP_OFFSET],
    [SYSRAM, SYSRAM_OFFSET],
  ] as const) {
    code
      .const(0)
      .memory(OP.load, 4 * 15)
      .const(memory.base)
      .op(OP.sub)
      .tee(distance);
    code.const(memory.size).op(OP.ltU).if();
    // Two bytes of code are four of the map.
    code
      .get(distance)
      .const(1)
      .op(OP.shl)
      .memory(OP.load, ENTRY_MAP_AT + 2 * offset)
      .set(entry)
      .br(found);
    code.end();
  }
  code.const(0).op(OP.return).end();
  code.get(entry).op(OP.eqz).if().const(0).op(OP.return).end();
  code.get(entry).const(0xffff).op(OP.and).get(entry).const(16).op(OP.shrU);
  code.op(OP.callIndirect, 0, 0);
  code.if().const(1).op(OP.return).end();
  code
    .const(0)
    .memory(OP.load, 4 * WORD.budget)
    .const(0)
    .op(OP.gtS)
    .brIf(top);
  code.end();
  code.const(0);
  return moduleOf({
    pages: MEMORY_PAGES,
    hasTable: true,
    imports: [],
    functions: [{ params: 1, locals: 2, code }],
  });
}
