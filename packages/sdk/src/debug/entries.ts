import { SdkError } from '../errors.ts';
import { customSection, ModuleCursor } from '../toolchain/wasm-sections.ts';

/** Tags of entries that are looked at (DWARF 4 §7.5.4). */
export const TAG = {
  array: 0x01,
  class: 0x02,
  enumeration: 0x04,
  parameter: 0x05,
  block: 0x0b,
  member: 0x0d,
  pointer: 0x0f,
  reference: 0x10,
  unit: 0x11,
  structure: 0x13,
  subroutine: 0x15,
  typedef: 0x16,
  union: 0x17,
  inheritance: 0x1c,
  inlined: 0x1d,
  subrange: 0x21,
  base: 0x24,
  const: 0x26,
  enumerator: 0x28,
  subprogram: 0x2e,
  variable: 0x34,
  volatile: 0x35,
  restrict: 0x37,
  rvalueReference: 0x42,
} as const;

/** Attributes that are looked at (DWARF 4 §7.5.4). */
export const AT = {
  location: 0x02,
  name: 0x03,
  byteSize: 0x0b,
  bitSize: 0x0d,
  lineProgram: 0x10,
  lowPc: 0x11,
  highPc: 0x12,
  constValue: 0x1c,
  abstractOrigin: 0x31,
  count: 0x37,
  memberLocation: 0x38,
  declaredLine: 0x3b,
  encoding: 0x3e,
  frameBase: 0x40,
  specification: 0x47,
  type: 0x49,
  ranges: 0x55,
  callFile: 0x58,
  callLine: 0x59,
  dataBitOffset: 0x6b,
} as const;

/** Numbers, texts and flags; blocks and expressions as bytes; references as offsets in `.debug_info`. */
type AttributeValue = number | string | boolean | Uint8Array;

/** A debugging information entry (DWARF 4 §2.1). */
export interface Entry {
  /** In `.debug_info`. */
  readonly offset: number;
  readonly tag: number;
  readonly attributes: ReadonlyMap<number, AttributeValue>;
  readonly children: readonly Entry[];
  readonly unit: Unit;
}

/** A compilation unit. */
export interface Unit {
  /** In `.debug_info`. */
  readonly offset: number;
  /** What ranges and location lists of the unit count from. */
  base: number;
}

interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly (readonly [attribute: number, form: number])[];
}

const VERSION = 4;
const UNIT_HEADER = 11;

/** The attribute as a number, if it is one. */
export function numberOf(entry: Entry, attribute: number): number | null {
  const value = entry.attributes.get(attribute);
  return typeof value === 'number' ? value : null;
}

/** The attribute as a text, if it is one. */
export function textOf(entry: Entry, attribute: number): string | null {
  const value = entry.attributes.get(attribute);
  return typeof value === 'string' ? value : null;
}

/** Reads `.debug_info` of a module of our own linker: DWARF 4, 32-bit. Units of other versions are passed over. */
export class EntryReader {
  readonly #info: Uint8Array;
  readonly #abbreviations: Uint8Array;
  readonly #strings: Uint8Array;
  readonly #view: DataView;
  readonly #tables = new Map<number, ReadonlyMap<number, Abbreviation>>();

  constructor(linked: Uint8Array) {
    const section = (name: string): Uint8Array => customSection(linked, name) ?? new Uint8Array();
    this.#info = section('.debug_info');
    this.#abbreviations = section('.debug_abbrev');
    this.#strings = section('.debug_str');
    this.#view = new DataView(this.#info.buffer, this.#info.byteOffset, this.#info.byteLength);
  }

  /** The entry of every unit, with all below it. */
  units(): readonly Entry[] {
    const units: Entry[] = [];
    for (let at = 0; at + UNIT_HEADER <= this.#info.length;) {
      const end = at + 4 + this.#view.getUint32(at, true);
      if (this.#view.getUint16(at + 4, true) === VERSION) {
        const table = this.#table(this.#view.getUint32(at + 6, true));
        const unit: Unit = { offset: at, base: 0 };
        const cursor = new ModuleCursor(this.#info, at + UNIT_HEADER);
        const entry = this.#entry(cursor, table, unit);
        if (entry !== null) {
          unit.base = numberOf(entry, AT.lowPc) ?? 0;
          units.push(entry);
        }
      }
      at = end;
    }
    return units;
  }

  #table(offset: number): ReadonlyMap<number, Abbreviation> {
    const present = this.#tables.get(offset);
    if (present !== undefined) return present;
    const table = new Map<number, Abbreviation>();
    const cursor = new ModuleCursor(this.#abbreviations, offset);
    for (let code = cursor.unsigned(); code !== 0; code = cursor.unsigned()) {
      const tag = cursor.unsigned();
      const hasChildren = cursor.byte() !== 0;
      const attributes: [number, number][] = [];
      for (;;) {
        const pair: [number, number] = [cursor.unsigned(), cursor.unsigned()];
        if (pair[0] === 0 && pair[1] === 0) break;
        attributes.push(pair);
      }
      table.set(code, { tag, hasChildren, attributes });
    }
    this.#tables.set(offset, table);
    return table;
  }

  /** The entry at the cursor; null for the end of a list of children. */
  #entry(cursor: ModuleCursor, table: ReadonlyMap<number, Abbreviation>, unit: Unit): Entry | null {
    const offset = cursor.at;
    const code = cursor.unsigned();
    if (code === 0) return null;
    const abbreviation = table.get(code);
    if (abbreviation === undefined) {
      throw new SdkError('UnexpectedModule', `The debug information has no abbreviation ${code}.`);
    }
    const attributes = new Map<number, AttributeValue>();
    for (const [attribute, form] of abbreviation.attributes) {
      attributes.set(attribute, this.#value(cursor, form, unit));
    }
    const children: Entry[] = [];
    if (abbreviation.hasChildren) {
      for (let child = this.#entry(cursor, table, unit); child !== null;) {
        children.push(child);
        child = this.#entry(cursor, table, unit);
      }
    }
    return { offset, tag: abbreviation.tag, attributes, children, unit };
  }

  /** An attribute's value by its form (DWARF 4 §7.5.4, table 7.11). */
  #value(cursor: ModuleCursor, form: number, unit: Unit): AttributeValue {
    const fixed = (size: 1 | 2 | 4 | 8): number => {
      const at = cursor.at;
      cursor.at += size;
      if (size === 1) return this.#view.getUint8(at);
      if (size === 2) return this.#view.getUint16(at, true);
      return size === 4 ? this.#view.getUint32(at, true) : Number(this.#view.getBigUint64(at, true));
    };
    const block = (length: number): Uint8Array => {
      cursor.at += length;
      return this.#info.subarray(cursor.at - length, cursor.at);
    };
    switch (form) {
      case 0x01: // address
      case 0x06: // data4
      case 0x17: // section offset
      case 0x10: // reference into the section
        return fixed(4);
      case 0x03:
        return block(fixed(2));
      case 0x04:
        return block(fixed(4));
      case 0x05:
        return fixed(2);
      case 0x07:
      case 0x20: // signature of a type
        return fixed(8);
      case 0x08:
        return cursor.terminated();
      case 0x09:
      case 0x18: // expression
        return block(cursor.unsigned());
      case 0x0a:
        return block(fixed(1));
      case 0x0b:
        return fixed(1);
      case 0x0c:
        return fixed(1) !== 0;
      case 0x0d:
        return cursor.signed();
      case 0x0e:
        return new ModuleCursor(this.#strings, fixed(4)).terminated();
      case 0x0f:
        return cursor.unsigned();
      case 0x11:
        return unit.offset + fixed(1);
      case 0x12:
        return unit.offset + fixed(2);
      case 0x13:
        return unit.offset + fixed(4);
      case 0x14:
        return unit.offset + fixed(8);
      case 0x15:
        return unit.offset + cursor.unsigned();
      case 0x19:
        return true;
      default:
        throw new SdkError('UnexpectedModule', `The debug information has values of form ${form}.`);
    }
  }
}
