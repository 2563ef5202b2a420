import { SdkError } from '../errors.ts';
import type { Typed, Values } from './values.ts';

/** What an expression gives: something of the program, the address of such a thing, or a number. */
export type Result =
  | { readonly kind: 'typed'; readonly value: Typed }
  | { readonly kind: 'address'; readonly of: Typed }
  | { readonly kind: 'number'; readonly value: number | bigint };

/** Finds a variable by its name; null: there is none here. */
type LookUp = (name: string) => Promise<Typed | null>;

const TOKEN =
  /\s*(0[xX][0-9a-fA-F]+|\d+\.\d*|\d+|'(?:\\.|[^'\\])'|[A-Za-z_]\w*|->|\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%&|^~!<>()[\].])/y;
/** Characters of an expression, and how deep it may be nested. */
const LONGEST = 500;
const DEEPEST = 50;
/** Binary operators by how tightly they bind, loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const CHARACTERS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', 0: '\0' };

const wrong = (message: string): SdkError => new SdkError('ExpressionFailed', message);

/** Evaluates a C expression without calls, casts and assignments. Throws `ExpressionFailed`, saying what is wrong. */
export function evaluateExpression(text: string, values: Values, lookUp: LookUp): Promise<Result> {
  return new Evaluation(tokensOf(text), values, lookUp).whole();
}

function tokensOf(text: string): readonly string[] {
  if (text.length > LONGEST) throw wrong(`An expression has at most ${LONGEST} characters.`);
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const [, token] = TOKEN.exec(text) ?? [];
    if (token === undefined) throw wrong(`“${text.slice(at).trim()}” cannot be evaluated.`);
    tokens.push(token);
  }
  return tokens;
}

class Evaluation {
  readonly #tokens: readonly string[];
  readonly #values: Values;
  readonly #lookUp: LookUp;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly string[], values: Values, lookUp: LookUp) {
    this.#tokens = tokens;
    this.#values = values;
    this.#lookUp = lookUp;
  }

  async whole(): Promise<Result> {
    const result = await this.#binary(0);
    const left = this.#tokens[this.#at];
    if (left !== undefined) throw wrong(`“${left}” is one too many.`);
    return result;
  }

  #take(...wanted: readonly string[]): string | null {
    const token = this.#tokens[this.#at];
    if (token === undefined || !wanted.includes(token)) return null;
    this.#at += 1;
    return token;
  }

  #require(token: string): void {
    if (this.#take(token) === null) throw wrong(`“${token}” is missing.`);
  }

  async #binary(level: number): Promise<Result> {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = await this.#binary(level + 1);
    for (let operator = this.#take(...operators); operator !== null; operator = this.#take(...operators)) {
      left = await this.#combine(operator, left, await this.#binary(level + 1));
    }
    return left;
  }

  async #combine(operator: string, left: Result, right: Result): Promise<Result> {
    if ((operator === '+' || operator === '-') && left.kind !== 'number' && right.kind === 'number') {
      const steps = Number(right.value);
      const element = await this.#elementOf(left, operator === '+' ? steps : -steps);
      if (element !== null) return { kind: 'address', of: element };
    }
    return {
      kind: 'number',
      value: calculate(operator, await this.#number(left), await this.#number(right)),
    };
  }

  /** So many elements behind what a pointer or an address points to; null: this is no pointer. */
  async #elementOf(from: Exclude<Result, { kind: 'number' }>, index: number): Promise<Typed | null> {
    if (from.kind === 'typed') return this.#values.element(from.value, index);
    const { type, address } = from.of;
    return address === null
      ? null
      : { type, address: address + index * this.#values.sizeOf(type), bytes: null };
  }

  async #number(result: Result): Promise<number | bigint> {
    if (result.kind === 'number') return result.value;
    if (result.kind === 'address') return result.of.address ?? 0;
    const number = await this.#values.scalar(result.value);
    if (number === null) throw wrong(`${this.#values.typeName(result.value.type)} is no number.`);
    return number;
  }

  async #unary(): Promise<Result> {
    this.#depth += 1;
    if (this.#depth > DEEPEST) throw wrong(`An expression is at most ${DEEPEST} deep.`);
    try {
      const operator = this.#take('*', '&', '-', '!', '~', '+');
      if (operator === null) return await this.#postfix();
      const operand = await this.#unary();
      if (operator === '*') {
        if (operand.kind === 'address') return { kind: 'typed', value: operand.of };
        const target = operand.kind === 'typed' ? await this.#values.dereference(operand.value) : null;
        if (target === null) throw wrong('This is no pointer to anything.');
        return { kind: 'typed', value: target };
      }
      if (operator === '&') {
        if (operand.kind !== 'typed' || operand.value.address === null)
          throw wrong('This has no address: it is in no memory.');
        return { kind: 'address', of: operand.value };
      }
      const number = await this.#number(operand);
      if (operator === '+') return { kind: 'number', value: number };
      if (operator === '!') return { kind: 'number', value: Number(number) === 0 ? 1 : 0 };
      if (operator === '~') return { kind: 'number', value: ~BigInt(number) };
      return { kind: 'number', value: -number };
    } finally {
      this.#depth -= 1;
    }
  }

  async #postfix(): Promise<Result> {
    let result = await this.#primary();
    for (
      let operator = this.#take('[', '.', '->');
      operator !== null;
      operator = this.#take('[', '.', '->')
    ) {
      if (result.kind === 'number') throw wrong('A number has no parts.');
      const from = result.kind === 'typed' ? result.value : result.of;
      let part: Typed | null;
      let what: string;
      if (operator === '[') {
        const index = Number(await this.#number(await this.#binary(0)));
        this.#require(']');
        what = `[${index}]`;
        part = await this.#elementOf(result, index);
      } else {
        const name = this.#tokens[this.#at] ?? '';
        this.#at += 1;
        what = name;
        part = await this.#values.member(from, name);
      }
      if (part === null) throw wrong(`${this.#values.typeName(from.type)} has no ${what}.`);
      result = { kind: 'typed', value: part };
    }
    return result;
  }

  async #primary(): Promise<Result> {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw wrong('The expression is not complete.');
    this.#at += 1;
    if (token === '(') {
      const inner = await this.#binary(0);
      this.#require(')');
      return inner;
    }
    if (/^\d/.test(token)) {
      const number = Number(token);
      return { kind: 'number', value: number > Number.MAX_SAFE_INTEGER ? BigInt(token) : number };
    }
    if (token.startsWith("'")) {
      const escaped = token[1] === '\\';
      const letter = token[escaped ? 2 : 1] ?? '';
      return {
        kind: 'number',
        value: (escaped ? (CHARACTERS[letter] ?? letter) : letter).codePointAt(0) ?? 0,
      };
    }
    if (!/^[A-Za-z_]/.test(token)) throw wrong(`“${token}” cannot stand here.`);
    const found = await this.#lookUp(token);
    if (found === null) throw wrong(`There is no ${token} here.`);
    return { kind: 'typed', value: found };
  }
}

function calculate(operator: string, left: number | bigint, right: number | bigint): number | bigint {
  switch (operator) {
    case '||':
      return Number(left) !== 0 || Number(right) !== 0 ? 1 : 0;
    case '&&':
      return Number(left) !== 0 && Number(right) !== 0 ? 1 : 0;
    // Numbers and wider ones are compared by what they mean.
    case '==':
      return Number(left) === Number(right) ? 1 : 0;
    case '!=':
      return Number(left) === Number(right) ? 0 : 1;
    case '<':
      return left < right ? 1 : 0;
    case '>':
      return left > right ? 1 : 0;
    case '<=':
      return left <= right ? 1 : 0;
    case '>=':
      return left >= right ? 1 : 0;
    default:
      return arithmetic(operator, left, right);
  }
}

function arithmetic(operator: string, left: number | bigint, right: number | bigint): number | bigint {
  const areWhole = isWhole(left) && isWhole(right);
  if (!areWhole) {
    const [a, b] = [Number(left), Number(right)];
    if (operator === '+') return a + b;
    if (operator === '-') return a - b;
    if (operator === '*') return a * b;
    if (operator === '/') return a / b;
    throw wrong(`“${operator}” takes whole numbers.`);
  }
  const [a, b] = [BigInt(left), BigInt(right)];
  if ((operator === '/' || operator === '%') && b === 0n) throw wrong('This divides by zero.');
  const result = ((): bigint => {
    switch (operator) {
      case '+':
        return a + b;
      case '-':
        return a - b;
      case '*':
        return a * b;
      case '/':
        return a / b;
      case '%':
        return a % b;
      case '&':
        return a & b;
      case '|':
        return a | b;
      case '^':
        return a ^ b;
      default:
        if (b < 0n || b > 63n) throw wrong('A shift is by 0 to 63.');
        return operator === '<<' ? a << b : a >> b;
    }
  })();
  return BigInt(Number(result)) === result ? Number(result) : result;
}

const isWhole = (value: number | bigint): boolean => typeof value === 'bigint' || Number.isInteger(value);
