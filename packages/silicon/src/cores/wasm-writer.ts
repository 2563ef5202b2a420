/** Opcodes of the core specification (§5.4) that translated code uses. */
export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  load: 0x28,
  load8S: 0x2c,
  load8U: 0x2d,
  load16S: 0x2e,
  load16U: 0x2f,
  store: 0x36,
  store8: 0x3a,
  store16: 0x3b,
  const: 0x41,
  eqz: 0x45,
  eq: 0x46,
  ne: 0x47,
  ltS: 0x48,
  ltU: 0x49,
  gtS: 0x4a,
  gtU: 0x4b,
  geS: 0x4e,
  geU: 0x4f,
  clz: 0x67,
  add: 0x6a,
  sub: 0x6b,
  mul: 0x6c,
  divS: 0x6d,
  divU: 0x6e,
  and: 0x71,
  or: 0x72,
  xor: 0x73,
  shl: 0x74,
  shrS: 0x75,
  shrU: 0x76,
  rotr: 0x78,
  i64Const: 0x42,
  i64Mul: 0x7e,
  i64ShrU: 0x88,
  f32Sqrt: 0x91,
  f32Add: 0x92,
  f32Sub: 0x93,
  f32Mul: 0x94,
  f32Div: 0x95,
  wrap: 0xa7,
  truncS: 0xa8,
  truncU: 0xa9,
  i64ExtendS: 0xac,
  i64ExtendU: 0xad,
  f32ConvertS: 0xb2,
  f32ConvertU: 0xb3,
  fromFloat: 0xbc,
  toFloat: 0xbe,
  extend8: 0xc0,
  extend16: 0xc1,
} as const;
const I32 = 0x7f;
/** A block type: nothing, or one i32. */
const VOID = 0x40;
export const VALUE = I32;

/** A label that code can branch to: `CodeWriter.label` makes it, for that writer. */
export type Label = number;

/** Bytes of a function's body, with labels by name instead of by depth. */
export class CodeWriter {
  #buffer: Uint8Array;
  #length = 0;
  /** How deep each label was opened, the outermost at 1. */
  #depths: number[] = [];
  #open = 0;

  /** `size`: bytes that are expected. */
  constructor(size = 64) {
    this.#buffer = new Uint8Array(size);
  }

  /** What has been written, as a view that later writing may leave behind. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Begins anew, with the room that it has. */
  empty(): this {
    this.#length = 0;
    this.#open = 0;
    this.#depths = [];
    return this;
  }

  #grow(by: number): void {
    const larger = new Uint8Array(Math.max(2 * this.#buffer.length, this.#length + by));
    larger.set(this.#buffer);
    this.#buffer = larger;
  }

  #push(byte: number): void {
    if (this.#length === this.#buffer.length) this.#grow(1);
    this.#buffer[this.#length++] = byte;
  }

  op(first: number, second?: number, third?: number): this {
    this.#push(first);
    if (second !== undefined) this.#push(second);
    if (third !== undefined) this.#push(third);
    return this;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array | readonly number[]): this {
    if (this.#length + bytes.length > this.#buffer.length) this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  unsigned(value: number): this {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#push((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.#push(rest);
    return this;
  }

  const(value: number): this {
    this.#push(OP.const);
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
        this.#push(low);
        return this;
      }
      this.#push(low | 0x80);
    }
  }

  get(local: number): this {
    return this.op(OP.localGet).unsigned(local);
  }

  set(local: number): this {
    return this.op(OP.localSet).unsigned(local);
  }

  tee(local: number): this {
    return this.op(OP.localTee).unsigned(local);
  }

  /** A load or store at the address on the stack plus `offset`; nothing is said of alignment. */
  memory(opcode: number, offset: number): this {
    return this.op(opcode, 0).unsigned(offset);
  }

  /** A label to open something with. */
  label(): Label {
    return this.#depths.push(0) - 1;
  }

  open(opcode: number, label: Label): this {
    this.#open++;
    this.#depths[label] = this.#open;
    return this.op(opcode, VOID);
  }

  /** Opens an `if` that nothing branches to; `type`: what it leaves on the stack. */
  if(type: number = VOID): this {
    this.#open++;
    return this.op(OP.if, type);
  }

  end(): this {
    this.#open--;
    return this.op(OP.end);
  }

  depth(label: Label): number {
    return this.#open - (this.#depths[label] ?? 0);
  }

  br(label: Label): this {
    return this.op(OP.br).unsigned(this.depth(label));
  }

  brIf(label: Label): this {
    return this.op(OP.brIf).unsigned(this.depth(label));
  }

  call(index: number): this {
    return this.op(OP.call).unsigned(index);
  }
}

/** A function to put into a module: how many i32 it takes, how many i32 locals it has beside them, its code. */
export interface WasmFunction {
  readonly params: number;
  readonly locals: number;
  readonly code: CodeWriter;
}

/** An import: a function of so many i32 that answers one. */
export interface WasmImport {
  readonly name: string;
  readonly params: number;
}

const text = (value: string): readonly number[] => [
  value.length,
  ...Array.from(value, (letter) => letter.charCodeAt(0)),
];
const sizeOf = (value: number): number => Math.max(1, Math.ceil((32 - Math.clz32(value)) / 7));

/**
 * The bytes of a module that imports a memory `m.m` (and a table `m.t` where `hasTable`) and functions of `f`, and
 * exports its first function as `x`. All functions answer one i32.
 */
export function moduleOf(parts: {
  readonly pages: number;
  readonly hasTable: boolean;
  readonly imports: readonly WasmImport[];
  readonly functions: readonly WasmFunction[];
}): Uint8Array {
  const { pages, hasTable, imports, functions } = parts;
  const arities = [...new Set([1, ...[...imports, ...functions].map(({ params }) => params)])];
  const typeOf = (params: number): number => arities.indexOf(params);
  const size = functions.reduce((sum, { code }) => sum + code.bytes.length, 0);
  const module = new CodeWriter(size + 512).raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, content: CodeWriter): void => {
    module.op(id).unsigned(content.bytes.length).raw(content.bytes);
  };
  const types = new CodeWriter().op(arities.length);
  for (const params of arities) {
    types.op(0x60, params).raw(Array<number>(params).fill(I32)).op(1, I32);
  }
  section(1, types);
  const needs = new CodeWriter().op(imports.length + (hasTable ? 2 : 1));
  needs.raw(text('m')).raw(text('m')).op(0x02, 0x01).unsigned(pages).unsigned(pages);
  if (hasTable) needs.raw(text('m')).raw(text('t')).op(0x01, 0x70, 0x00).op(0x00);
  for (const { name, params } of imports) needs.raw(text('f')).raw(text(name)).op(0x00, typeOf(params));
  section(2, needs);
  section(3, new CodeWriter().op(functions.length).raw(functions.map(({ params }) => typeOf(params))));
  section(7, new CodeWriter().op(1).raw(text('x')).op(0x00).unsigned(imports.length));
  const bodies = new CodeWriter(size + 64).op(functions.length);
  for (const { locals, code } of functions) {
    const { bytes } = code;
    const head = locals === 0 ? 1 : 2 + sizeOf(locals);
    bodies.unsigned(head + bytes.length + 1).op(locals === 0 ? 0 : 1);
    if (locals > 0) bodies.unsigned(locals).op(I32);
    bodies.raw(bytes).op(OP.end);
  }
  section(10, bodies);
  return module.bytes;
}
