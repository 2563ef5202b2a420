import type { DebugInfo } from './debug-info.ts';
import { AT, numberOf, TAG, type Entry } from './entries.ts';

/** Linear memory of the app that is debugged. */
export interface DebugMemory {
  /** Bytes at an address; null where they are not all in memory. */
  read(address: number, length: number): Promise<Uint8Array | null>;
}

/** A value with its type. Null as type: void. */
export interface Typed {
  readonly type: Entry | null;
  /** Where it lies; null: nowhere, as what was computed or is in a local of the frame. */
  readonly address: number | null;
  /** Its bytes where it lies nowhere. */
  readonly bytes: Uint8Array | null;
}

/** One member, element or target of a value. */
export interface Child {
  readonly name: string;
  readonly value: Typed;
}

/** A value for people: its text, its type's name, and how many children it has. */
export interface Described {
  readonly text: string;
  readonly type: string;
  /** 0: nothing to expand. */
  readonly children: number;
}

const ENCODING = {
  boolean: 0x02,
  float: 0x04,
  signed: 0x05,
  signedChar: 0x06,
  unsigned: 0x07,
  unsignedChar: 0x08,
} as const;
const POINTER_SIZE = 4;
const LONGEST_TEXT = 200;
const MOST_CHILDREN = 1000;
const QUALIFIERS: Readonly<Record<number, string>> = {
  [TAG.const]: 'const',
  [TAG.volatile]: 'volatile',
  [TAG.restrict]: 'restrict',
};
const isPointer = (tag: number): boolean =>
  tag === TAG.pointer || tag === TAG.reference || tag === TAG.rvalueReference;
const isRecord = (tag: number): boolean => tag === TAG.structure || tag === TAG.class || tag === TAG.union;

/** Reads, names and takes apart values of C and C++ by the types of their debug information. */
export class Values {
  readonly #info: DebugInfo;
  readonly #memory: DebugMemory;

  constructor(info: DebugInfo, memory: DebugMemory) {
    this.#info = info;
    this.#memory = memory;
  }

  /** The type without qualifiers and names given to it by typedef. */
  bare(type: Entry | null): Entry | null {
    let at = type;
    while (at !== null && (at.tag === TAG.typedef || at.tag in QUALIFIERS))
      at = this.#info.referred(at, AT.type);
    return at;
  }

  target(type: Entry): Entry | null {
    return this.#info.referred(type, AT.type);
  }

  /** A type as C writes it. */
  typeName(type: Entry | null): string {
    if (type === null) return 'void';
    const inner = (): string => this.typeName(this.target(type));
    const qualifier = QUALIFIERS[type.tag];
    if (qualifier !== undefined) {
      const of = this.target(type);
      return of !== null && isPointer(of.tag) ? `${inner()} ${qualifier}` : `${qualifier} ${inner()}`;
    }
    const name = this.#info.nameOf(type);
    switch (type.tag) {
      case TAG.pointer:
        return `${inner()}${inner().endsWith('*') ? '' : ' '}*`;
      case TAG.reference:
        return `${inner()} &`;
      case TAG.rvalueReference:
        return `${inner()} &&`;
      case TAG.array:
        return `${inner()}${this.#counts(type)
          .map((count) => `[${count}]`)
          .join('')}`;
      case TAG.structure:
        return `struct ${name || '{…}'}`;
      case TAG.union:
        return `union ${name || '{…}'}`;
      case TAG.enumeration:
        return `enum ${name || '{…}'}`;
      case TAG.subroutine:
        return `${inner()} (…)`;
      default:
        return name || 'void';
    }
  }

  #counts(array: Entry): readonly number[] {
    return array.children
      .filter(({ tag }) => tag === TAG.subrange)
      .map((range) => {
        const upper = numberOf(range, 0x2f);
        return numberOf(range, AT.count) ?? (upper === null ? 0 : upper + 1);
      });
  }

  /** Bytes that a value of the type takes; 0 where it is not known. */
  sizeOf(type: Entry | null): number {
    const bare = this.bare(type);
    if (bare === null) return 0;
    if (isPointer(bare.tag)) return POINTER_SIZE;
    if (bare.tag === TAG.array)
      return this.#counts(bare).reduce((size, count) => size * count, this.sizeOf(this.target(bare)));
    return numberOf(bare, AT.byteSize) ?? 0;
  }

  async #bytes({ type, address, bytes }: Typed): Promise<Uint8Array | null> {
    if (bytes !== null) return bytes;
    const size = this.sizeOf(type);
    return address === null || size === 0 ? null : this.#memory.read(address, size);
  }

  /** The value as a number: of numbers, enumerations, booleans and pointers. Null for others, or where it cannot be read. */
  async scalar(value: Typed): Promise<number | bigint | null> {
    const bare = this.bare(value.type);
    if (bare === null) return null;
    const encoding = numberOf(bare, AT.encoding);
    if (bare.tag !== TAG.base && bare.tag !== TAG.enumeration && !isPointer(bare.tag)) return null;
    const size = this.sizeOf(bare);
    const bytes = await this.#bytes(value);
    if (bytes === null || bytes.length < size) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (encoding === ENCODING.float) {
      if (size === 4) return view.getFloat32(0, true);
      return size === 8 ? view.getFloat64(0, true) : null;
    }
    const isSigned =
      encoding === ENCODING.signed ||
      encoding === ENCODING.signedChar ||
      (bare.tag === TAG.enumeration && this.#hasNegatives(bare));
    if (size === 1) return isSigned ? view.getInt8(0) : view.getUint8(0);
    if (size === 2) return isSigned ? view.getInt16(0, true) : view.getUint16(0, true);
    if (size === 4) return isSigned ? view.getInt32(0, true) : view.getUint32(0, true);
    if (size === 8) return isSigned ? view.getBigInt64(0, true) : view.getBigUint64(0, true);
    return null;
  }

  #hasNegatives(enumeration: Entry): boolean {
    return enumeration.children.some((one) => (numberOf(one, AT.constValue) ?? 0) < 0);
  }

  /** Bytes of a number for a place of the type; null: the type takes no numbers. */
  encode(type: Entry | null, value: number | bigint): Uint8Array | null {
    const bare = this.bare(type);
    if (bare === null || (bare.tag !== TAG.base && bare.tag !== TAG.enumeration && !isPointer(bare.tag)))
      return null;
    const size = this.sizeOf(bare);
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    if (numberOf(bare, AT.encoding) === ENCODING.float) {
      if (size === 4) view.setFloat32(0, Number(value), true);
      else view.setFloat64(0, Number(value), true);
    } else view.setBigInt64(0, typeof value === 'bigint' ? value : BigInt(Math.trunc(value)), true);
    return size >= 1 && size <= 8 ? bytes.subarray(0, size) : null;
  }

  /** A zero-terminated text in memory, in quotes; null where there is none. */
  async #text(address: number, most = LONGEST_TEXT): Promise<string | null> {
    const bytes: number[] = [];
    for (let at = address; bytes.length < most; at += 1) {
      const [byte] = (await this.#memory.read(at, 1)) ?? [];
      if (byte === undefined) return bytes.length === 0 ? null : quoted(bytes, '…');
      if (byte === 0) return quoted(bytes, '');
      bytes.push(byte);
    }
    return quoted(bytes, '…');
  }

  async describe(value: Typed): Promise<Described> {
    const bare = this.bare(value.type);
    const type = this.typeName(value.type);
    const children = await this.#childCount(value, bare);
    if (bare === null) return { text: '', type, children };
    if (isRecord(bare.tag))
      return { text: value.address === null ? '{…}' : `{…} @ ${hex(value.address)}`, type, children };
    if (bare.tag === TAG.array) {
      const isText = this.#isCharacter(this.target(bare)) && value.address !== null;
      const text = isText ? await this.#text(value.address, Math.min(LONGEST_TEXT, this.sizeOf(bare))) : null;
      return { text: text ?? `[${this.#counts(bare).join('][')}]`, type, children };
    }
    const number = await this.scalar(value);
    if (number === null) return { text: '<not readable>', type, children: 0 };
    if (isPointer(bare.tag)) {
      const text =
        this.#isCharacter(this.target(bare)) && number !== 0 ? await this.#text(Number(number)) : null;
      return { text: text === null ? hex(Number(number)) : `${hex(Number(number))} ${text}`, type, children };
    }
    if (bare.tag === TAG.enumeration) {
      const named = bare.children.find((one) => numberOf(one, AT.constValue) === number);
      return {
        text: named === undefined ? String(number) : `${this.#info.nameOf(named)} (${number})`,
        type,
        children,
      };
    }
    const encoding = numberOf(bare, AT.encoding);
    if (encoding === ENCODING.boolean) return { text: number === 0 ? 'false' : 'true', type, children };
    if (
      (encoding === ENCODING.signedChar || encoding === ENCODING.unsignedChar) &&
      number >= 0x20 &&
      number < 0x7f
    )
      return { text: `${number} '${String.fromCharCode(Number(number))}'`, type, children };
    return { text: String(number), type, children };
  }

  #isCharacter(type: Entry | null): boolean {
    const bare = this.bare(type);
    if (bare?.tag !== TAG.base) return false;
    const encoding = numberOf(bare, AT.encoding);
    return (
      encoding === ENCODING.signedChar ||
      (encoding === ENCODING.unsignedChar && this.#info.nameOf(bare) === 'char')
    );
  }

  async #childCount(value: Typed, bare: Entry | null): Promise<number> {
    if (bare === null) return 0;
    if (isRecord(bare.tag)) return this.#members(bare).length;
    if (bare.tag === TAG.array) return Math.min(this.#counts(bare)[0] ?? 0, MOST_CHILDREN);
    if (!isPointer(bare.tag)) return 0;
    const target = this.bare(this.target(bare));
    const points = Number((await this.scalar(value)) ?? 0) !== 0;
    if (target === null || target.tag === TAG.subroutine || !points || this.sizeOf(target) === 0) return 0;
    return isRecord(target.tag) ? this.#members(target).length : 1;
  }

  #members(record: Entry): readonly Entry[] {
    return record.children.filter(
      ({ tag, attributes }) =>
        // Static members have no place in the record.
        tag === TAG.inheritance ||
        (tag === TAG.member &&
          (record.tag === TAG.union ||
            attributes.has(AT.memberLocation) ||
            attributes.has(AT.dataBitOffset))),
    );
  }

  /** What a value expands to: members, elements, or what it points to. */
  async children(value: Typed): Promise<readonly Child[]> {
    const bare = this.bare(value.type);
    if (bare === null) return [];
    if (isRecord(bare.tag)) {
      const members = this.#members(bare);
      return Promise.all(
        members.map(async (member) => ({
          name: this.#info.nameOf(member) || this.typeName(this.target(member)),
          value: await this.#memberAt(value, member),
        })),
      );
    }
    if (bare.tag === TAG.array) {
      const count = Math.min(this.#counts(bare)[0] ?? 0, MOST_CHILDREN);
      return Promise.all(
        Array.from({ length: count }, async (_, at) => ({
          name: `[${at}]`,
          value: (await this.element(value, at)) ?? NOTHING,
        })),
      );
    }
    if (!isPointer(bare.tag)) return [];
    const target = await this.dereference(value);
    if (target === null) return [];
    const isToRecord = isRecord(this.bare(target.type)?.tag ?? 0);
    return isToRecord ? this.children(target) : [{ name: '*', value: target }];
  }

  async #memberAt(value: Typed, member: Entry): Promise<Typed> {
    const type = this.target(member);
    const bits = numberOf(member, AT.bitSize);
    const bitOffset = numberOf(member, AT.dataBitOffset);
    if (bits !== null && bitOffset !== null) return this.#bitField(value, type, bitOffset, bits);
    const offset = numberOf(member, AT.memberLocation) ?? 0;
    if (value.address !== null) return { type, address: value.address + offset, bytes: null };
    const bytes = value.bytes?.subarray(offset, offset + this.sizeOf(type)) ?? null;
    return { type, address: null, bytes };
  }

  async #bitField(value: Typed, type: Entry | null, offset: number, bits: number): Promise<Typed> {
    const whole = await this.#bytes(value);
    if (whole === null) return { type, address: null, bytes: null };
    let number = 0n;
    for (let bit = 0; bit < bits; bit += 1) {
      const at = offset + bit;
      if (((whole[at >> 3] ?? 0) >> (at & 7)) & 1) number |= 1n << BigInt(bit);
    }
    const bare = this.bare(type);
    const isSigned = bare !== null && numberOf(bare, AT.encoding) === ENCODING.signed;
    return { type, address: null, bytes: this.encode(type, isSigned ? BigInt.asIntN(bits, number) : number) };
  }

  /** A member by name, also of records without a name in it; through a pointer as through the record itself. */
  async member(value: Typed, name: string): Promise<Typed | null> {
    const bare = this.bare(value.type);
    if (bare === null) return null;
    if (isPointer(bare.tag)) {
      const target = await this.dereference(value);
      return target === null ? null : this.member(target, name);
    }
    if (!isRecord(bare.tag)) return null;
    for (const member of this.#members(bare)) {
      const own = this.#info.nameOf(member);
      if (own === name && member.tag === TAG.member) return this.#memberAt(value, member);
      if (own !== '' && member.tag === TAG.member) continue;
      const inner = await this.member(await this.#memberAt(value, member), name);
      if (inner !== null) return inner;
    }
    return null;
  }

  /** What a pointer or an array points to, with so many elements in between. Null: it is no pointer. */
  async element(value: Typed, index: number): Promise<Typed | null> {
    const bare = this.bare(value.type);
    if (bare === null) return null;
    if (bare.tag === TAG.array) {
      const [, ...inner] = this.#counts(bare);
      const type = this.target(bare);
      const size = inner.reduce((product, count) => product * count, this.sizeOf(type));
      if (inner.length > 0)
        return {
          type: { ...bare, children: bare.children.slice(1) },
          address: value.address === null ? null : value.address + index * size,
          bytes: null,
        };
      if (value.address !== null) return { type, address: value.address + index * size, bytes: null };
      return { type, address: null, bytes: value.bytes?.subarray(index * size, (index + 1) * size) ?? null };
    }
    if (!isPointer(bare.tag)) return null;
    const pointer = await this.scalar(value);
    const type = this.target(bare);
    return pointer === null || type === null
      ? null
      : { type, address: Number(pointer) + index * this.sizeOf(type), bytes: null };
  }

  dereference(value: Typed): Promise<Typed | null> {
    return this.element(value, 0);
  }
}

const NOTHING: Typed = { type: null, address: null, bytes: null };
const hex = (address: number): string => `0x${address.toString(16)}`;

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '"': '\\"',
  '\\': '\\\\',
};

/** Bytes as a C string: what is neither printable nor UTF-8 becomes an escape. */
function quoted(bytes: readonly number[], rest: string): string {
  const text = new TextDecoder().decode(Uint8Array.from(bytes));
  // Control characters: what a debugger shows goes to terminals as well.
  const shown = text.replaceAll(
    /["\\\p{Cc}]/gu,
    (one) => ESCAPES[one] ?? `\\x${(one.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
  return `"${shown}${rest}"`;
}
