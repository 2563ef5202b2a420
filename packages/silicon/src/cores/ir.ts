/** Binary operators on 32-bit values; comparisons answer 0 or 1. Shifts take the amount modulo 32. */
export type BinaryOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shrU'
  | 'shrS'
  | 'rotr'
  | 'eq'
  | 'ne'
  | 'ltS'
  | 'ltU'
  | 'gtS'
  | 'gtU'
  | 'geS'
  | 'geU'
  /** High 32 bits of the 64-bit product. */
  | 'mulHighS'
  | 'mulHighU'
  /** Quotients as the core's: x / 0 = 0, and -2^31 / -1 = -2^31. */
  | 'divS'
  | 'divU';

export type UnaryOp = 'clz' | 'sext8' | 'sext16';

/** Words of a core's state beside the registers, by name; `state.ts` says where they lie. */
export type StateWord = 'nf' | 'zf' | 'cf' | 'vf' | 'qf' | 'ge' | 'fpscr';

/** Operators of the floating-point unit that `fpu.ts` computes on bit patterns, with flags into FPSCR. */
export type FloatOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'sqrt'
  | 'fma'
  | 'compare'
  | 'toInteger'
  | 'fromInteger'
  | 'toFixed'
  | 'fromFixed'
  | 'halfToSingle'
  | 'singleToHalf';

/** What only the system around the core can do: the interpreter calls it, translated code leaves for it. */
export type SystemOp =
  | 'svc'
  | 'bkpt'
  | 'wfi'
  | 'wfe'
  | 'sev'
  | 'barrier'
  | 'cps'
  | 'mrs'
  | 'msr'
  | 'loadExclusive'
  | 'storeExclusive'
  | 'clearExclusive'
  | 'writeFpscr'
  | 'undefined';

/** Why an instruction cannot go on; the names are those of the bits in CFSR (Armv7-M ARM B3.2.15). */
export type GuardFault = 'DIVBYZERO' | 'UNALIGNED' | 'INVSTATE';

/** A register or state word; a string index is an operand that is known only when the instruction runs. */
export type Slot =
  | { readonly file: 'core' | 'float'; readonly index: number | string }
  | { readonly file: 'state'; readonly word: StateWord };

/** A pure 32-bit value. */
export type Expr =
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'operand'; readonly name: string }
  /** The address of the instruction plus 4, as an instruction reads PC (A5.1.2). */
  | { readonly kind: 'pc' }
  | { readonly kind: 'temp'; readonly id: number }
  | { readonly kind: 'get'; readonly slot: Slot }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly a: Expr }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly a: Expr; readonly b: Expr }
  | { readonly kind: 'select'; readonly test: Expr; readonly a: Expr; readonly b: Expr };

/** Bytes that one access moves. */
export type AccessSize = 1 | 2 | 4;

/** An effect; those of an instruction happen in order. */
export type Stmt =
  | { readonly kind: 'let'; readonly id: number; readonly value: Expr }
  | { readonly kind: 'set'; readonly slot: Slot; readonly value: Expr }
  | {
      readonly kind: 'load';
      readonly id: number;
      readonly size: AccessSize;
      readonly isSigned: boolean;
      readonly address: Expr;
      readonly isUnprivileged: boolean;
    }
  | {
      readonly kind: 'store';
      readonly size: AccessSize;
      readonly address: Expr;
      readonly value: Expr;
      readonly isUnprivileged: boolean;
    }
  | { readonly kind: 'if'; readonly test: Expr; readonly body: readonly Stmt[] }
  /** Stops the instruction where `test` holds, before it has changed anything. */
  | { readonly kind: 'guard'; readonly test: Expr; readonly fault: GuardFault }
  /** Goes to `target` (bit 0 clear). `link` says that it is a call: LR is set already. */
  | { readonly kind: 'branch'; readonly target: Expr }
  /** `target` will be exchanged to when registers have changed: translated code must know before that it can. */
  | { readonly kind: 'willExchange'; readonly target: Expr }
  /** BXWritePC: bit 0 is the Thumb bit, and 0xFxxxxxxx returns from an exception in Handler mode. */
  | { readonly kind: 'exchange'; readonly target: Expr }
  /** Everything before has had no effect yet: FP may be off, or its registers still belong to another context. */
  | { readonly kind: 'floatGate' }
  | { readonly kind: 'float'; readonly id: number; readonly op: FloatOp; readonly args: readonly Expr[] }
  | { readonly kind: 'system'; readonly op: SystemOp; readonly id: number; readonly args: readonly Expr[] };

/** A constant. */
export const constant = (value: number): Expr => ({ kind: 'const', value: value | 0 });

/** Operators that are computed at once where both operands are constants. */
const FOLDED: Partial<Record<BinaryOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shrU: (a, b) => a >>> b,
  shrS: (a, b) => a >> b,
};

/** `a op b`, computed at once where both are constants. */
export function binary(op: BinaryOp, a: Expr, b: Expr | number): Expr {
  const right = typeof b === 'number' ? constant(b) : b;
  if (right.kind === 'const') {
    if (a.kind === 'const') {
      const fold = FOLDED[op];
      if (fold !== undefined) return constant(fold(a.value, right.value));
    }
    const isNeutral = right.value === 0 && (op === 'add' || op === 'sub' || op === 'or' || op === 'xor');
    if (isNeutral) return a;
  }
  return { kind: 'binary', op, a, b: right };
}

export const add = (a: Expr, b: Expr | number): Expr => binary('add', a, b);
export const sub = (a: Expr, b: Expr | number): Expr => binary('sub', a, b);
export const mul = (a: Expr, b: Expr | number): Expr => binary('mul', a, b);
export const and = (a: Expr, b: Expr | number): Expr => binary('and', a, b);
export const or = (a: Expr, b: Expr | number): Expr => binary('or', a, b);
export const xor = (a: Expr, b: Expr | number): Expr => binary('xor', a, b);
export const shl = (a: Expr, b: Expr | number): Expr => binary('shl', a, b);
export const shrU = (a: Expr, b: Expr | number): Expr => binary('shrU', a, b);
export const shrS = (a: Expr, b: Expr | number): Expr => binary('shrS', a, b);
export const rotr = (a: Expr, b: Expr | number): Expr => binary('rotr', a, b);
export const eq = (a: Expr, b: Expr | number): Expr => binary('eq', a, b);
export const ne = (a: Expr, b: Expr | number): Expr => binary('ne', a, b);
/** Bitwise complement. */
export const not = (a: Expr): Expr => binary('xor', a, -1);
export const unary = (op: UnaryOp, a: Expr): Expr => ({ kind: 'unary', op, a });
export const sext8 = (a: Expr): Expr => unary('sext8', a);
export const sext16 = (a: Expr): Expr => unary('sext16', a);
/** `test ? a : b`; both are computed. */
export const select = (test: Expr, a: Expr, b: Expr | number): Expr => ({
  kind: 'select',
  test,
  a,
  b: typeof b === 'number' ? constant(b) : b,
});
