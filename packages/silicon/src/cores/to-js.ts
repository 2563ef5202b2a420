import type { BinaryOp, Expr, Slot, Stmt } from './ir.ts';
import { WORD } from './state.ts';

/** Comparisons as JavaScript's: they stand in a test as they are and become 0 or 1 as a value. */
const COMPARISONS: Partial<Record<BinaryOp, (a: string, b: string) => string>> = {
  eq: (a, b) => `(${a})===(${b})`,
  ne: (a, b) => `(${a})!==(${b})`,
  ltS: (a, b) => `(${a})<(${b})`,
  gtS: (a, b) => `(${a})>(${b})`,
  geS: (a, b) => `(${a})>=(${b})`,
  ltU: (a, b) => `((${a})>>>0)<((${b})>>>0)`,
  gtU: (a, b) => `((${a})>>>0)>((${b})>>>0)`,
  geU: (a, b) => `((${a})>>>0)>=((${b})>>>0)`,
};
const VALUES: Partial<Record<BinaryOp, (a: string, b: string) => string>> = {
  add: (a, b) => `((${a})+(${b})|0)`,
  sub: (a, b) => `((${a})-(${b})|0)`,
  mul: (a, b) => `Math.imul(${a},${b})`,
  and: (a, b) => `((${a})&(${b}))`,
  or: (a, b) => `((${a})|(${b}))`,
  xor: (a, b) => `((${a})^(${b}))`,
  shl: (a, b) => `((${a})<<(${b}))`,
  shrU: (a, b) => `((${a})>>>(${b})|0)`,
  shrS: (a, b) => `((${a})>>(${b}))`,
  rotr: (a, b) => `(((${a})>>>(${b}))|((${a})<<(32-(${b}))))`,
  mulHighS: (a, b) => `c.mulHighS(${a},${b})`,
  mulHighU: (a, b) => `c.mulHighU(${a},${b})`,
  divS: (a, b) => `((${a})/(${b})|0)`,
  divU: (a, b) => `(((${a})>>>0)/((${b})>>>0)|0)`,
};

const coreIndex = (slot: Slot): string => {
  if (slot.file === 'state') return String(WORD[slot.word]);
  const first = slot.file === 'float' ? WORD.float : 0;
  if (typeof slot.index === 'number') return String(slot.index + first);
  const [name, plus = '0'] = slot.index.split('+');
  const offset = first + Number(plus);
  return offset === 0 ? `o.${name}` : `o.${name}+${offset}`;
};

function valueOf(expr: Expr): string {
  switch (expr.kind) {
    case 'const':
      return String(expr.value);
    case 'operand':
      return `o.${expr.name}`;
    case 'pc':
      return 'o.pc';
    case 'temp':
      return `t${expr.id}`;
    case 'get':
      return `r[${coreIndex(expr.slot)}]`;
    case 'unary': {
      const a = valueOf(expr.a);
      if (expr.op === 'clz') return `Math.clz32(${a})`;
      return expr.op === 'sext8' ? `((${a})<<24>>24)` : `((${a})<<16>>16)`;
    }
    case 'select':
      return `(${testOf(expr.test)}?${valueOf(expr.a)}:${valueOf(expr.b)})`;
    case 'binary':
      break;
  }
  const value = VALUES[expr.op];
  return value ? value(valueOf(expr.a), valueOf(expr.b)) : `(${testOf(expr)}?1:0)`;
}

function testOf(expr: Expr): string {
  if (expr.kind === 'binary') {
    const comparison = COMPARISONS[expr.op];
    if (comparison) return comparison(valueOf(expr.a), valueOf(expr.b));
  }
  return `(${valueOf(expr)})!==0`;
}

function statement(stmt: Stmt): string {
  switch (stmt.kind) {
    case 'let':
      return `const t${stmt.id}=${valueOf(stmt.value)};`;
    case 'set':
      return `r[${coreIndex(stmt.slot)}]=${valueOf(stmt.value)};`;
    case 'load': {
      const raw = stmt.isUnprivileged
        ? `c.loadUnprivileged(${valueOf(stmt.address)},${stmt.size})`
        : `load${stmt.size}(${valueOf(stmt.address)})`;
      const drop = 32 - 8 * stmt.size;
      return `const t${stmt.id}=${stmt.isSigned ? `${raw}<<${drop}>>${drop}` : raw};`;
    }
    case 'store':
      return stmt.isUnprivileged
        ? `c.storeUnprivileged(${valueOf(stmt.address)},${stmt.size},${valueOf(stmt.value)});`
        : `store${stmt.size}(${valueOf(stmt.address)},${valueOf(stmt.value)});`;
    case 'if':
      return `if(${testOf(stmt.test)}){${stmt.body.map(statement).join('')}}`;
    case 'guard':
      return `if(${testOf(stmt.test)})c.guard('${stmt.fault}',${valueOf(stmt.test)});`;
    case 'branch':
      return `r[15]=${valueOf(stmt.target)};`;
    case 'willExchange':
      return '';
    case 'exchange':
      return `c.exchange(${valueOf(stmt.target)});`;
    case 'floatGate':
      return `if(r[${WORD.floatGate}]!==0)c.openFloat();`;
    case 'float':
      return `const t${stmt.id}=fpu.${stmt.op}(${stmt.args.map(valueOf).join(',')});`;
    case 'system':
      break;
  }
  return `const t${stmt.id}=c.system('${stmt.op}',o${stmt.args.map((arg) => `,${valueOf(arg)}`).join('')});`;
}

/** The body of a JavaScript function of `o`, an instruction's operands, that does what `statements` say. */
export function toJavaScript(statements: readonly Stmt[], test: Expr | null): string {
  const body = statements.map(statement).join('');
  return test === null ? body : `if(${testOf(test)}){${body}}`;
}
