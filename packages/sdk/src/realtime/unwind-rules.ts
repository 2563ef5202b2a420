import type { SymbolFunction, UnwindRow } from '@sevenfold/formats';
import { SdkError } from '../errors.ts';
import { ModuleCursor } from '../toolchain/wasm-sections.ts';
import { elfSection } from './elf-sections.ts';

/** A common information entry: what the rules of several functions begin with (DWARF 5 §6.4.1). */
interface Common {
  readonly codeFactor: number;
  readonly dataFactor: number;
  readonly start: number;
  readonly end: number;
}

/** The rules at one address: where the caller's SP is, and how far from there each register is kept. */
interface Rules {
  readonly register: number;
  readonly bytes: number;
  /** False: an expression, which nothing here evaluates. */
  readonly isKnown: boolean;
  readonly saved: ReadonlyMap<number, number>;
}

const COMMON_ID = 0xffff_ffff;
const KNOWN_VERSIONS: readonly number[] = [1, 3, 4];
const NOTHING: Rules = { register: 13, bytes: 0, isKnown: true, saved: new Map() };
/** Instructions of call frames (§6.4.2): three have an operand in their low bits, the others are told by all of them. */
const PACKED = { advance: 0x40, offset: 0x80, restore: 0xc0 } as const;
const LINK_REGISTER = 14;

/** Told of each address at which the rules change. */
type Changed = (address: number, rules: Rules) => void;

/** Runs the instructions of one function. */
class CallFrame {
  readonly #bytes: Uint8Array;
  readonly #common: Common;
  readonly #changed: Changed;
  readonly #kept: Rules[] = [];
  #rules = NOTHING;
  #initial = NOTHING;
  #address: number;

  constructor(bytes: Uint8Array, common: Common, address: number, changed: Changed) {
    this.#bytes = bytes;
    this.#common = common;
    this.#changed = changed;
    this.#address = address;
    this.#run(common.start, common.end);
    this.#initial = this.#rules;
  }

  runAll(start: number, end: number): void {
    this.#run(start, end);
    this.#changed(this.#address, this.#rules);
  }

  #advance(count: number): void {
    this.#changed(this.#address, this.#rules);
    this.#address += count * this.#common.codeFactor;
  }

  #frame(change: Partial<Rules>): void {
    this.#rules = { ...this.#rules, ...change };
  }

  #save(register: number, offset: number | null): void {
    const saved = new Map(this.#rules.saved);
    if (offset === null) saved.delete(register);
    else saved.set(register, offset);
    this.#frame({ saved });
  }

  #restore(register: number): void {
    this.#save(register, this.#initial.saved.get(register) ?? null);
  }

  #run(start: number, end: number): void {
    const cursor = new ModuleCursor(this.#bytes, start);
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    const { dataFactor } = this.#common;
    while (cursor.at < end) {
      const instruction = cursor.byte();
      const low = instruction & 0x3f;
      switch (instruction & 0xc0) {
        case PACKED.advance:
          this.#advance(low);
          continue;
        case PACKED.offset:
          this.#save(low, cursor.unsigned() * dataFactor);
          continue;
        case PACKED.restore:
          this.#restore(low);
          continue;
        default:
          this.#plain(instruction, cursor, view);
      }
    }
  }

  #plain(instruction: number, cursor: ModuleCursor, view: DataView): void {
    const { dataFactor } = this.#common;
    switch (instruction) {
      case 0x00: // nop
        return;
      case 0x02: // advance_loc1
        return this.#advance(cursor.byte());
      case 0x03: // advance_loc2
        cursor.at += 2;
        return this.#advance(view.getUint16(cursor.at - 2, true));
      case 0x04: // advance_loc4
        cursor.at += 4;
        return this.#advance(view.getUint32(cursor.at - 4, true));
      case 0x05: // offset_extended
        return this.#save(cursor.unsigned(), cursor.unsigned() * dataFactor);
      case 0x11: // offset_extended_sf
        return this.#save(cursor.unsigned(), cursor.signed() * dataFactor);
      case 0x06: // restore_extended
        return this.#restore(cursor.unsigned());
      case 0x07: // undefined
      case 0x08: // same_value
        return this.#save(cursor.unsigned(), null);
      case 0x0a: // remember_state
        this.#kept.push(this.#rules);
        return undefined;
      case 0x0b: // restore_state
        this.#rules = this.#kept.pop() ?? this.#initial;
        return undefined;
      case 0x0c: // def_cfa
        return this.#frame({ register: cursor.unsigned(), bytes: cursor.unsigned(), isKnown: true });
      case 0x0d: // def_cfa_register
        return this.#frame({ register: cursor.unsigned() });
      case 0x0e: // def_cfa_offset
        return this.#frame({ bytes: cursor.unsigned() });
      case 0x0f: // def_cfa_expression
        cursor.at += cursor.unsigned();
        return this.#frame({ isKnown: false });
      case 0x10: // expression
      case 0x16: // val_expression
        this.#save(cursor.unsigned(), null);
        cursor.at += cursor.unsigned();
        return undefined;
      default:
        throw new SdkError('UnexpectedModule', `The call frames have an unknown instruction ${instruction}.`);
    }
  }
}

/** A row as a symbol map has it: registers that a caller wants back, kept below its SP. */
function rowOf(offset: number, { register, bytes, isKnown, saved }: Rules): UnwindRow {
  const isKept = ([kept, at]: readonly [number, number]): boolean =>
    at < 0 && ((kept >= 4 && kept <= 11) || kept === LINK_REGISTER);
  return {
    offset,
    frame: isKnown && register <= 15 ? { register, bytes } : null,
    saved: new Map([...saved].filter(isKept).map(([kept, at]) => [kept, -at])),
  };
}

/**
 * How the stack of a linked program is unwound, from its `.debug_frame` (DWARF 5 §6.4): ascending by address, with a row
 * without a frame where a function ends and none follows. Empty: there is no such section.
 */
export function unwindRules(linked: Uint8Array): readonly UnwindRow[] {
  const bytes = elfSection(linked, '.debug_frame');
  if (bytes === null) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const commons = new Map<number, Common>();
  const rows = new Map<number, UnwindRow>();
  const ends = new Set<number>();
  for (let at = 0; at + 8 <= bytes.length;) {
    const end = at + 4 + view.getUint32(at, true);
    const id = view.getUint32(at + 4, true);
    if (id === COMMON_ID) commons.set(at, readCommon(bytes, at + 8, end));
    else {
      const common = commons.get(id);
      if (common === undefined)
        throw new SdkError('UnexpectedModule', 'The call frames have no common entry.');
      const first = view.getUint32(at + 8, true);
      const length = view.getUint32(at + 12, true);
      // What the linker left out is at 0.
      if (first !== 0 && length !== 0) {
        new CallFrame(bytes, common, first, (address, rules) =>
          rows.set(address, rowOf(address, rules)),
        ).runAll(at + 16, end);
        ends.add(first + length);
      }
    }
    at = end;
  }
  for (const end of ends) if (!rows.has(end)) rows.set(end, { offset: end, frame: null, saved: new Map() });
  return [...rows.values()].toSorted((a, b) => a.offset - b.offset);
}

function readCommon(bytes: Uint8Array, at: number, end: number): Common {
  const cursor = new ModuleCursor(bytes, at);
  const version = cursor.byte();
  const augmentation = cursor.byte();
  if (!KNOWN_VERSIONS.includes(version) || augmentation !== 0)
    throw new SdkError('UnexpectedModule', `The call frames are of version ${version}.`);
  // Version 4 says the sizes of addresses and segments.
  if (version === 4) cursor.at += 2;
  const codeFactor = cursor.unsigned();
  const dataFactor = cursor.signed();
  // The register of the return address: LR.
  if (version === 1) cursor.byte();
  else cursor.unsigned();
  return { codeFactor, dataFactor, start: cursor.at, end };
}

/** Bytes of an ELF symbol, what of it is read here, and the kind that functions are. */
const SYMBOL = { size: 16, value: 4, info: 12, function: 2 } as const;

/** The functions of a linked program, each numbered by its address. */
export function elfFunctions(linked: Uint8Array): readonly SymbolFunction[] {
  const [symbols, names] = [elfSection(linked, '.symtab'), elfSection(linked, '.strtab')];
  if (symbols === null || names === null) return [];
  const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
  const found = new Map<number, string>();
  for (let at = 0; at + SYMBOL.size <= symbols.length; at += SYMBOL.size) {
    if ((view.getUint8(at + SYMBOL.info) & 0xf) !== SYMBOL.function) continue;
    const name = view.getUint32(at, true);
    // Its lowest bit says Thumb.
    const address = (view.getUint32(at + SYMBOL.value, true) & ~1) >>> 0;
    found.set(address, new TextDecoder().decode(names.subarray(name, names.indexOf(0, name))));
  }
  return [...found].toSorted(([a], [b]) => a - b).map(([index, name]) => ({ index, name }));
}
