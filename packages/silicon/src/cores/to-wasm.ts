import type { BinaryOp, Expr, FloatOp, Slot, Stmt } from './ir.ts';
import { CODE_MAP_AT, GRANULE_SHIFT, TCM, TCM_AT, WORD } from './state.ts';
import { OP, VALUE, type CodeWriter, type Label } from './wasm-writer.ts';

/** Locals of a translated function. Registers and flags have the number of their word plus 1 up to R14, then as is. */
export const LOCAL = {
  entry: 0,
  budget: 22,
  next: 23,
  status: 24,
  address: 25,
  bail: 26,
  temps: 27,
} as const;

/** The local that stands for a state word, or `null` for one that stays in memory. */
export function localOf(word: number): number | null {
  if (word < 15) return word + 1;
  return word >= WORD.nf && word <= WORD.ge ? word : null;
}

/** What the code around an instruction does for it. */
export interface Surroundings {
  readonly code: CodeWriter;
  /** PC as the instruction reads it. */
  readonly pc: number;
  /** Leaves without having done the instruction: the interpreter will do it. */
  readonly bail: () => void;
  /** The two halves of that: what to set, and where to branch. */
  readonly prepareBail: () => void;
  readonly bailLabel: Label;
  /** Goes to an address that is known now. */
  readonly jump: (target: number) => void;
  /** Goes to the address on the stack. */
  readonly leave: () => void;
  /** Index of the function that a float operation calls. */
  readonly float: (op: FloatOp, params: number) => number;
  /** Index of the function that finds an address outside TCM, for loads and for stores. */
  readonly outside: { readonly load: number; readonly store: number };
  /** Temps that instructions have used at most. */
  readonly temps: { most: number };
  /** Locals that stand for registers and flags: which are used at all, and which are written. */
  readonly words: { readonly used: Set<number>; readonly written: Set<number> };
}

const BINARY: Readonly<Record<Exclude<BinaryOp, 'mulHighS' | 'mulHighU' | 'divS' | 'divU'>, number>> = {
  add: OP.add,
  sub: OP.sub,
  mul: OP.mul,
  and: OP.and,
  or: OP.or,
  xor: OP.xor,
  shl: OP.shl,
  shrU: OP.shrU,
  shrS: OP.shrS,
  rotr: OP.rotr,
  eq: OP.eq,
  ne: OP.ne,
  ltS: OP.ltS,
  ltU: OP.ltU,
  gtS: OP.gtS,
  gtU: OP.gtU,
  geS: OP.geS,
  geU: OP.geU,
};

/** The state word of a slot; operands are known where code is translated. */
function wordOf(slot: Slot): number {
  if (slot.file === 'state') return WORD[slot.word];
  return Number(slot.index) + (slot.file === 'float' ? WORD.float : 0);
}

/** Leaves a value on the stack. */
function value(around: Surroundings, expr: Expr): void {
  const { code } = around;
  switch (expr.kind) {
    case 'const':
      code.const(expr.value);
      break;
    case 'operand':
      throw new Error(`The operand ${expr.name} is not known.`);
    case 'pc':
      code.const(around.pc);
      break;
    case 'temp':
      code.get(LOCAL.temps + expr.id);
      break;
    case 'get': {
      const word = wordOf(expr.slot);
      const local = localOf(word);
      if (local === null) code.const(0).memory(OP.load, 4 * word);
      else {
        around.words.used.add(word);
        code.get(local);
      }
      break;
    }
    case 'unary':
      value(around, expr.a);
      code.op(expr.op === 'clz' ? OP.clz : expr.op === 'sext8' ? OP.extend8 : OP.extend16);
      break;
    case 'select':
      value(around, expr.a);
      value(around, expr.b);
      value(around, expr.test);
      code.op(OP.select);
      break;
    case 'binary':
      binaryValue(around, expr);
  }
}

function binaryValue(around: Surroundings, expr: Extract<Expr, { kind: 'binary' }>): void {
  const { code } = around;
  const { op, a, b } = expr;
  if (op === 'mulHighS' || op === 'mulHighU') {
    const extend = op === 'mulHighS' ? OP.i64ExtendS : OP.i64ExtendU;
    value(around, a);
    code.op(extend);
    value(around, b);
    code.op(extend, OP.i64Mul).op(OP.i64Const, 32).op(OP.i64ShrU, OP.wrap);
  } else if (op === 'divS') {
    // -2^31 / -1 would trap; a divisor of 0 has been sent to the interpreter.
    value(around, b);
    code.const(-1).op(OP.eq).if(VALUE).const(0);
    value(around, a);
    code.op(OP.sub, OP.else);
    value(around, a);
    value(around, b);
    code.op(OP.divS).end();
  } else {
    value(around, a);
    value(around, b);
    code.op(op === 'divU' ? OP.divU : BINARY[op]);
  }
}

const LOADS = { 1: [OP.load8U, OP.load8S], 2: [OP.load16U, OP.load16S], 4: [OP.load, OP.load] } as const;
const STORES = { 1: OP.store8, 2: OP.store16, 4: OP.store } as const;

/** Asks for the place outside TCM of the distance in `LOCAL.address`, or bails. */
function findOutside(around: Surroundings, index: number, size: number): void {
  const { code } = around;
  around.prepareBail();
  code
    .get(LOCAL.address)
    .const(size - 1)
    .call(index)
    .tee(LOCAL.address);
  code.const(-1).op(OP.eq).brIf(around.bailLabel);
}

function load(around: Surroundings, stmt: Extract<Stmt, { kind: 'load' }>): void {
  const { code } = around;
  value(around, stmt.address);
  code.const(TCM.base).op(OP.sub).tee(LOCAL.address);
  code
    .const(TCM.size - stmt.size + 1)
    .op(OP.geU)
    .if();
  findOutside(around, around.outside.load, stmt.size);
  code.end();
  const opcode = LOADS[stmt.size][stmt.isSigned ? 1 : 0];
  code
    .get(LOCAL.address)
    .memory(opcode, TCM_AT)
    .set(LOCAL.temps + stmt.id);
}

function store(around: Surroundings, stmt: Extract<Stmt, { kind: 'store' }>): void {
  const { code } = around;
  value(around, stmt.address);
  code.const(TCM.base).op(OP.sub).tee(LOCAL.address);
  code
    .const(TCM.size - stmt.size + 1)
    .op(OP.ltU)
    .if(VALUE);
  code.get(LOCAL.address).const(GRANULE_SHIFT).op(OP.shrU).memory(OP.load8U, CODE_MAP_AT);
  code.op(OP.else).const(1).end().if();
  findOutside(around, around.outside.store, stmt.size);
  code.end().get(LOCAL.address);
  value(around, stmt.value);
  code.memory(STORES[stmt.size], TCM_AT);
}

/** FPSCR bits that choose how to round, flush and make NaNs, and the inexact flag. */
const FLOAT_MODES = 0x03c0_0000;
const IXC = 0x10;
const FAST: Partial<Record<FloatOp, number>> = {
  add: OP.f32Add,
  sub: OP.f32Sub,
  mul: OP.f32Mul,
  div: OP.f32Div,
  sqrt: OP.f32Sqrt,
};

/**
 * A float operation. WebAssembly computes it where nothing but the inexact flag can come of it and that is set
 * already: the default modes, and a result that is neither NaN, infinite, tiny nor zero.
 */
function float(around: Surroundings, stmt: Extract<Stmt, { kind: 'float' }>): void {
  const { code } = around;
  const result = LOCAL.temps + stmt.id;
  const done = code.label();
  const fast = FAST[stmt.op];
  const isConversion = stmt.op === 'fromInteger';
  code.open(OP.block, done);
  if (fast !== undefined || isConversion) {
    code
      .const(0)
      .memory(OP.load, 4 * WORD.fpscr)
      .const(FLOAT_MODES | IXC)
      .op(OP.and)
      .const(IXC)
      .op(OP.eq);
    code.if();
    if (isConversion) {
      const [operand, isSigned] = stmt.args;
      if (operand) value(around, operand);
      code.op(isSigned?.kind === 'const' && isSigned.value === 1 ? OP.f32ConvertS : OP.f32ConvertU);
      code.op(OP.fromFloat).set(result).br(done);
    } else if (fast !== undefined) {
      for (const arg of stmt.args) {
        value(around, arg);
        code.op(OP.toFloat);
      }
      code.op(fast, OP.fromFloat).tee(result);
      // An exponent field from 2 to 254.
      code.const(23).op(OP.shrU).const(0xff).op(OP.and).const(2).op(OP.sub).const(253).op(OP.ltU).brIf(done);
    }
    code.end();
  }
  for (const arg of stmt.args) value(around, arg);
  code.call(around.float(stmt.op, stmt.args.length)).set(result);
  code.end();
}

function bailIf(around: Surroundings, test: Expr): void {
  value(around, test);
  around.code.if();
  around.bail();
  around.code.end();
}

/** Emits statements. Jumps leave the function's flow; what follows them is never reached. */
export function emit(around: Surroundings, statements: readonly Stmt[]): void {
  const { code } = around;
  for (const stmt of statements) {
    if ('id' in stmt) around.temps.most = Math.max(around.temps.most, stmt.id + 1);
    switch (stmt.kind) {
      case 'let':
        value(around, stmt.value);
        code.set(LOCAL.temps + stmt.id);
        break;
      case 'set': {
        const word = wordOf(stmt.slot);
        const local = localOf(word);
        if (local === null) {
          code.const(0);
          value(around, stmt.value);
          code.memory(OP.store, 4 * word);
        } else {
          value(around, stmt.value);
          around.words.written.add(word);
          code.set(local);
        }
        break;
      }
      case 'load':
        load(around, stmt);
        break;
      case 'store':
        store(around, stmt);
        break;
      case 'if':
        value(around, stmt.test);
        code.if();
        emit(around, stmt.body);
        code.end();
        break;
      case 'guard':
        bailIf(around, stmt.test);
        break;
      case 'willExchange':
        // To ARM state, or out of an exception: the interpreter knows how.
        value(around, stmt.target);
        code.const(1).op(OP.and, OP.eqz);
        value(around, stmt.target);
        code.const(28).op(OP.shrU).const(15).op(OP.eq, OP.or).if();
        around.bail();
        code.end();
        break;
      case 'exchange':
        value(around, stmt.target);
        code.const(~1).op(OP.and);
        around.leave();
        break;
      case 'branch':
        if (isKnown(stmt.target)) around.jump(known(around, stmt.target));
        else {
          value(around, stmt.target);
          around.leave();
        }
        break;
      case 'floatGate':
        code
          .const(0)
          .memory(OP.load, 4 * WORD.floatGate)
          .if();
        around.bail();
        code.end();
        break;
      case 'float':
        float(around, stmt);
        break;
      case 'system':
        around.bail();
    }
  }
}

/** PC, or PC plus a constant. */
const isKnown = (expr: Expr): boolean =>
  expr.kind === 'pc' ||
  (expr.kind === 'binary' && expr.op === 'add' && expr.a.kind === 'pc' && expr.b.kind === 'const');
const known = ({ pc }: Surroundings, expr: Expr): number =>
  expr.kind === 'binary' && expr.b.kind === 'const' ? (pc + expr.b.value) | 0 : pc;
