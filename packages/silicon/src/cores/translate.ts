import { Semantics } from './builder.ts';
import type { Instruction } from './decoder.ts';
import { conditionHolds } from './isa/branch.ts';
import type { FloatOp, Stmt } from './ir.ts';
import type { Placed, Region, RegionBlock } from './region.ts';
import {
  CODE_MAP_AT,
  GRANULE_SHIFT,
  MEMORY_PAGES,
  SYSRAM,
  SYSRAM_OFFSET,
  TCM,
  WORD,
  XIP,
  XIP_OFFSET,
} from './state.ts';
import { emit, LOCAL, localOf, type Surroundings } from './to-wasm.ts';
import { CodeWriter, moduleOf, OP, type Label, type WasmImport } from './wasm-writer.ts';

/** What a translated function answers to have the instruction at PC interpreted; 0: go on where PC points. */
const INTERPRET = 1;
/** A block has fewer instructions than these bits count. */
const LEFT_BITS = 10;

/** A region as WebAssembly, and the float operations that it imports. */
export interface Translation {
  readonly bytes: Uint8Array;
  readonly floats: readonly FloatOp[];
}

interface Prepared {
  readonly block: RegionBlock;
  readonly code: readonly { readonly placed: Placed; readonly statements: readonly Stmt[] }[];
}

/** What instructions do: programs repeat themselves. Random code has no end of them. */
const known = new Map<Instruction, readonly Stmt[]>();
const MOST_KNOWN = 20_000;

/** The statements of one instruction, its condition around them. */
function statementsOf(instruction: Instruction): readonly Stmt[] {
  const before = known.get(instruction);
  if (before !== undefined) return before;
  if (known.size >= MOST_KNOWN) known.clear();
  const statements = makeStatements(instruction);
  known.set(instruction, statements);
  return statements;
}

function makeStatements(instruction: Instruction): readonly Stmt[] {
  const { row, operands, condition } = instruction;
  const semantics = new Semantics(operands, false);
  if (row.isSystem === true) return [{ kind: 'system', op: 'undefined', id: 0, args: [] }];
  if (condition === 14) {
    row.does(semantics, operands);
    return semantics.statements;
  }
  semantics.if(conditionHolds(semantics, condition), (inner) => row.does(inner, operands));
  return semantics.statements;
}

/** Where an address outside TCM lies from `TCM_AT` on, or -1. `isStore`: XIP does not count, nor does code. */
function outsideFunction(isStore: boolean): CodeWriter {
  const code = new CodeWriter();
  // Local 0 is the distance from TCM, 1 the access size less one, 2 the distance from the other memory.
  code
    .get(0)
    .const(SYSRAM.base - TCM.base)
    .op(OP.sub)
    .tee(2)
    .const(SYSRAM.size)
    .get(1)
    .op(OP.sub, OP.ltU);
  code.if();
  const offset = (add: number): CodeWriter => code.get(2).const(add).op(OP.add);
  if (isStore) {
    offset(SYSRAM_OFFSET).const(GRANULE_SHIFT).op(OP.shrU).memory(OP.load8U, CODE_MAP_AT);
    code.if().const(-1).op(OP.return).end();
  }
  offset(SYSRAM_OFFSET).op(OP.return).end();
  if (!isStore) {
    code
      .get(0)
      .const(XIP.base - TCM.base)
      .op(OP.sub)
      .tee(2)
      .const(XIP.size)
      .get(1)
      .op(OP.sub, OP.ltU);
    code.if();
    offset(XIP_OFFSET).op(OP.return).end();
  }
  // TCM itself comes here where a store meets code, or an access leaves it at the end.
  return code.const(-1);
}

const OUTSIDE = { load: outsideFunction(false), store: outsideFunction(true) };

/** Where functions are written before their locals are known: one after another, and copied from there. */
const scratch = new CodeWriter(0x1_0000);

/** Translates a region that begins at `address`. */
export function translateRegion(region: Region, addressOf: (offset: number) => number): Translation {
  const prepared = region.blocks.map((block): Prepared => ({
    block,
    code: block.instructions.map((placed) => ({ placed, statements: statementsOf(placed.instruction) })),
  }));
  const words = { used: new Set<number>(), written: new Set<number>() };
  const floats: WasmImport[] = [];
  for (const { code } of prepared) {
    for (const { placed, statements } of code) {
      // Only these compute with them; most programs have few.
      if (placed.instruction.row.name.startsWith('V')) collectFloats(statements, floats);
    }
  }
  const outside = { load: floats.length + 1, store: floats.length + 2 };
  const temps = { most: 0 };
  const code = scratch.empty();

  /** Blocks are in the order of their places. */
  const origin = addressOf(region.blocks[0]?.offset ?? 0);
  const exit = code.label();
  const bailLabel = code.label();
  const top = code.label();
  const labels: Label[] = prepared.map(() => code.label());
  code.open(OP.block, exit).open(OP.block, bailLabel).open(OP.loop, top);
  for (const label of labels.toReversed()) code.open(OP.block, label);
  code
    .get(LOCAL.entry)
    .op(OP.brTable)
    .unsigned(labels.length - 1);
  for (let index = 0; index < labels.length; index++) code.unsigned(index);
  const indexes = new Map(prepared.map(({ block }, index) => [addressOf(block.offset), index]));

  for (const [index, { block, code: instructions }] of prepared.entries()) {
    code.end();
    const self = code.label();
    code.open(OP.loop, self);
    const count = instructions.length;
    const start = addressOf(block.offset);
    const leaveAt = (address: number): void => {
      code.const(address).set(LOCAL.next).br(exit);
    };
    /** Where the interpreter goes on, and how much of the block's budget is given back: one number, taken apart below. */
    const prepareBail = (address: number, left: number, it: number): void => {
      code.const((((address - origin) >> 1) << LEFT_BITS) | left).set(LOCAL.bail);
      if (it !== 0)
        code
          .const(0)
          .const(it)
          .memory(OP.store, 4 * WORD.it);
    };
    code.get(LOCAL.budget).const(count).op(OP.sub).tee(LOCAL.budget).const(0).op(OP.ltS);
    code.if();
    prepareBail(start, count, 0);
    code.br(bailLabel).end();
    const jump = (target: number): void => {
      const to = indexes.get(target);
      const label = to === undefined ? undefined : labels[to];
      if (to === undefined || label === undefined) leaveAt(target);
      else if (to === index) code.br(self);
      else if (to > index) code.br(label);
      else code.const(to).set(LOCAL.entry).br(top);
    };
    for (const [position, { placed, statements }] of instructions.entries()) {
      const address = addressOf(placed.offset);
      const prepare = (): void => prepareBail(address, count - position, placed.instruction.it);
      const bail = (): void => {
        prepare();
        code.br(bailLabel);
      };
      /** What of the block a branch out of its middle leaves undone costs nothing. */
      const giveBack = (): void => {
        const left = count - position - 1;
        if (left > 0) code.get(LOCAL.budget).const(left).op(OP.add).set(LOCAL.budget);
      };
      const around: Surroundings = {
        code,
        pc: (address + 4) | 0,
        bail,
        prepareBail: prepare,
        bailLabel,
        jump: (target) => {
          giveBack();
          jump(target);
        },
        leave: () => {
          code.set(LOCAL.next);
          giveBack();
          code.br(exit);
        },
        float: (op) => floats.findIndex(({ name }) => name === op),
        outside,
        temps,
        words,
      };
      emit(around, statements);
    }
    const last = block.instructions[block.instructions.length - 1];
    // Behind an open IT block nothing is translated: the interpreter goes on with the state that it needs.
    const it = last?.instruction.nextIt ?? 0;
    if (it !== 0) {
      prepareBail(addressOf(block.end), 0, it);
      code.br(bailLabel);
    } else jump(addressOf(block.end));
    code.end();
    code.op(OP.unreachable);
  }
  code.end();
  code.op(OP.unreachable).end();
  code
    .get(LOCAL.bail)
    .const(LEFT_BITS)
    .op(OP.shrU)
    .const(1)
    .op(OP.shl)
    .const(origin)
    .op(OP.add)
    .set(LOCAL.next);
  code
    .get(LOCAL.budget)
    .get(LOCAL.bail)
    .const(2 ** LEFT_BITS - 1)
    .op(OP.and, OP.add)
    .set(LOCAL.budget);
  code.const(INTERPRET).set(LOCAL.status).end();
  for (const word of words.written)
    code
      .const(0)
      .get(localOf(word) ?? 0)
      .memory(OP.store, 4 * word);
  code
    .const(0)
    .get(LOCAL.next)
    .memory(OP.store, 4 * 15);
  code
    .const(0)
    .get(LOCAL.budget)
    .memory(OP.store, 4 * WORD.budget);
  code.get(LOCAL.status);

  const head = new CodeWriter(code.bytes.length + 256);
  // What may be written must be loaded too: not every path writes it.
  for (const word of new Set([...words.used, ...words.written])) {
    head
      .const(0)
      .memory(OP.load, 4 * word)
      .set(localOf(word) ?? 0);
  }
  head
    .const(0)
    .memory(OP.load, 4 * WORD.budget)
    .set(LOCAL.budget);
  const functions = [
    { params: 1, locals: LOCAL.temps - 1 + temps.most, code: head.raw(code.bytes) },
    { params: 2, locals: 1, code: OUTSIDE.load },
    { params: 2, locals: 1, code: OUTSIDE.store },
  ];
  const bytes = moduleOf({ pages: MEMORY_PAGES, hasTable: false, imports: floats, functions });
  return { bytes, floats: floats.map(({ name }) => name as FloatOp) };
}

function collectFloats(statements: readonly Stmt[], into: WasmImport[]): void {
  for (const statement of statements) {
    if (statement.kind === 'if') collectFloats(statement.body, into);
    else if (statement.kind === 'float' && !into.some(({ name }) => name === statement.op)) {
      into.push({ name: statement.op, params: statement.args.length });
    }
  }
}
