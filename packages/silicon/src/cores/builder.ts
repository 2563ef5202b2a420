import {
  add,
  and,
  binary,
  constant,
  eq,
  or,
  shrU,
  xor,
  type AccessSize,
  type Expr,
  type FloatOp,
  type GuardFault,
  type Slot,
  type StateWord,
  type Stmt,
  type SystemOp,
} from './ir.ts';

/** An instruction's operands, by the letter that its row gives them. */
export type Operands = Readonly<Record<string, number>>;

/** Letters of core registers, floating-point registers and immediates; any other letter shapes the instruction. */
const CORE_REGISTERS = 'dnmatu';
const FLOAT_REGISTERS = 'DNM';
const IMMEDIATES = 'ij';
const DYNAMIC_OPERANDS = CORE_REGISTERS + FLOAT_REGISTERS + IMMEDIATES;

/**
 * What tells one shape of instruction from another: everything but the numbers of ordinary registers and immediates.
 * SP and PC are no ordinary registers.
 */
export function shapeOf(operands: Operands): string {
  let shape = '';
  for (const name in operands) {
    const value = operands[name] ?? 0;
    if (CORE_REGISTERS.includes(name)) shape += value === 15 ? `${name}P` : value === 13 ? `${name}S` : name;
    else if (DYNAMIC_OPERANDS.includes(name)) shape += name;
    else shape += `${name}${value}`;
    shape += ',';
  }
  return shape;
}

/**
 * Collects what an instruction does. One that is *symbolic* stands for all instructions of its shape: ordinary
 * registers and immediates stay operands. One that is not stands for a single instruction: they are constants.
 */
export class Semantics {
  readonly statements: Stmt[];
  readonly #operands: Operands;
  readonly #isSymbolic: boolean;
  readonly #temps: { next: number };

  constructor(operands: Operands, isSymbolic: boolean, temps: { next: number } = { next: 0 }) {
    this.statements = [];
    this.#operands = operands;
    this.#isSymbolic = isSymbolic;
    this.#temps = temps;
  }

  #slot(file: 'core' | 'float', name: string, plus = 0): Slot {
    const index = this.#operands[name] ?? 0;
    const isFixed = !this.#isSymbolic || (file === 'core' && (index === 13 || index === 15));
    if (isFixed) return { file, index: index + plus };
    return { file, index: plus === 0 ? name : `${name}+${plus}` };
  }

  /** A core register; PC reads as the instruction's address plus 4. */
  r(name: string): Expr {
    if (this.#operands[name] === 15) return { kind: 'pc' };
    return { kind: 'get', slot: this.#slot('core', name) };
  }

  /** PC rounded down to a word (A5.1.2). */
  pcAligned(): Expr {
    return and({ kind: 'pc' }, ~3);
  }

  /** The core register of a fixed number. */
  fixed(index: number): Expr {
    return index === 15 ? { kind: 'pc' } : { kind: 'get', slot: { file: 'core', index } };
  }

  /** Writes a core register that is not PC; the two low bits of SP stay zero (B1.4.7). */
  set(name: string, value: Expr): void {
    const isStackPointer = this.#operands[name] === 13;
    this.#push({
      kind: 'set',
      slot: this.#slot('core', name),
      value: isStackPointer ? and(value, ~3) : value,
    });
  }

  setFixed(index: number, value: Expr): void {
    this.#push({
      kind: 'set',
      slot: { file: 'core', index },
      value: index === 13 ? and(value, ~3) : value,
    });
  }

  /** A floating-point register, or the one `plus` behind it. */
  s(name: string, plus = 0): Expr {
    return { kind: 'get', slot: this.#slot('float', name, plus) };
  }

  setS(name: string, value: Expr, plus = 0): void {
    this.#push({ kind: 'set', slot: this.#slot('float', name, plus), value });
  }

  imm(name: string): Expr {
    return this.#isSymbolic ? { kind: 'operand', name } : constant(this.#operands[name] ?? 0);
  }

  get(word: StateWord): Expr {
    return { kind: 'get', slot: { file: 'state', word } };
  }

  put(word: StateWord, value: Expr): void {
    this.#push({ kind: 'set', slot: { file: 'state', word }, value });
  }

  /** Computes a value now, and once. */
  let(value: Expr): Expr {
    if (value.kind === 'const' || value.kind === 'temp') return value;
    const id = this.#temp();
    this.#push({ kind: 'let', id, value });
    return { kind: 'temp', id };
  }

  load(size: AccessSize, address: Expr, { isSigned = false, isUnprivileged = false } = {}): Expr {
    const id = this.#temp();
    this.#push({ kind: 'load', id, size, isSigned, address, isUnprivileged });
    return { kind: 'temp', id };
  }

  store(size: AccessSize, address: Expr, value: Expr, isUnprivileged = false): void {
    this.#push({ kind: 'store', size, address, value, isUnprivileged });
  }

  /** Does what `body` collects only where `test` is not 0. */
  if(test: Expr, body: (inner: Semantics) => void): void {
    const inner = new Semantics(this.#operands, this.#isSymbolic, this.#temps);
    body(inner);
    this.#push({ kind: 'if', test, body: inner.statements });
  }

  guard(test: Expr, fault: GuardFault): void {
    this.#push({ kind: 'guard', test, fault });
  }

  branch(target: Expr): void {
    this.#push({ kind: 'branch', target });
  }

  exchange(target: Expr): void {
    this.#push({ kind: 'exchange', target });
  }

  /** Announces `exchange` before registers change. */
  willExchange(target: Expr): void {
    this.#push({ kind: 'willExchange', target });
  }

  floatGate(): void {
    this.#push({ kind: 'floatGate' });
  }

  float(op: FloatOp, ...args: readonly Expr[]): Expr {
    const id = this.#temp();
    this.#push({ kind: 'float', id, op, args });
    return { kind: 'temp', id };
  }

  system(op: SystemOp, ...args: readonly Expr[]): Expr {
    const id = this.#temp();
    this.#push({ kind: 'system', op, id, args });
    return { kind: 'temp', id };
  }

  /** N and Z of a result. */
  setNZ(result: Expr): void {
    this.put('nf', result);
    this.put('zf', result);
  }

  /** C and V of `x + y (+ carry)`, `result` being that sum (A2.2.1). */
  setAdditionFlags(x: Expr, y: Expr, result: Expr, carryIn: Expr | null = null): void {
    const wrapped = binary('ltU', result, x);
    this.setNZ(result);
    this.put('vf', and(xor(x, result), xor(y, result)));
    this.put('cf', carryIn === null ? wrapped : or(wrapped, and(carryIn, eq(result, x))));
  }

  /** C and V of `x - y (- borrow)`, `result` being that difference; C is the inverted borrow. */
  setSubtractionFlags(x: Expr, y: Expr, result: Expr, carryIn: Expr | null = null): void {
    this.setNZ(result);
    this.put('vf', and(xor(x, y), xor(x, result)));
    const noBorrow = carryIn === null ? binary('geU', x, y) : or(binary('gtU', x, y), and(carryIn, eq(x, y)));
    this.put('cf', noBorrow);
  }

  /** N Z C V as bits 31 to 28. */
  nzcv(): Expr {
    const n = and(this.get('nf'), 0x8000_0000 | 0);
    const z = binary('shl', eq(this.get('zf'), 0), 30);
    const c = binary('shl', this.get('cf'), 29);
    const v = binary('shl', shrU(this.get('vf'), 31), 28);
    return or(or(n, z), or(c, v));
  }

  #push(statement: Stmt): void {
    this.statements.push(statement);
  }

  #temp(): number {
    return this.#temps.next++;
  }
}

/** `base + offset` or `base - offset`. */
export const offsetBy = (base: Expr, offset: Expr, isAdded: boolean): Expr =>
  isAdded ? add(base, offset) : binary('sub', base, offset);
