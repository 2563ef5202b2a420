import { readLinePrograms, type LineRow } from '../toolchain/line-table.ts';
import { codeRange, customSection, functionBodies, functionNames } from '../toolchain/wasm-sections.ts';
import { AT, EntryReader, numberOf, TAG, textOf, type Entry } from './entries.ts';
import { locationAt, rangesAt } from './locations.ts';

/** A stretch of code, as addresses from the start of the code section. */
export interface AddressRange {
  readonly low: number;
  readonly high: number;
}

/** A function or what was inlined of one, at an address: innermost first where several are. */
export interface SourceFrame {
  readonly name: string;
  /** As the compiler was given it; empty where nothing is known. */
  readonly file: string;
  readonly line: number;
  /** Its entry and the blocks in it that hold the address, innermost first; empty for code without debug information. */
  readonly scopes: readonly Entry[];
  /** The expression of the frame in which its variables lie. */
  readonly frameBase: Uint8Array | null;
}

/** A variable with its type's entry; null: no type, which is void. */
export interface Variable {
  readonly name: string;
  readonly type: Entry | null;
  /** Null: optimised away, here at least. */
  readonly location: Uint8Array | null;
  /** A value that stands in the debug information itself. */
  readonly constant: number | null;
}

interface FunctionEntry extends AddressRange {
  readonly entry: Entry;
  readonly files: readonly string[];
}

const NO_BYTES = new Uint8Array();
/** What the linker calls `main`. */
const MAIN_NAMES: readonly string[] = ['__main_argc_argv', '__main_void', '__original_main'];

/** What a debugger asks of a module that was linked with DWARF. Addresses count from the start of the code section. */
export class DebugInfo {
  /** Where the code section starts in the shipped module: add it to addresses for offsets of the engine. */
  readonly codeStart: number;
  /** Sorted, one an address. */
  readonly rows: readonly LineRow[];
  readonly #entries = new Map<number, Entry>();
  readonly #functions: readonly FunctionEntry[];
  readonly #globals: readonly Entry[];
  /** Every function of a linked module has a name, imported ones first. */
  readonly #names: ReadonlyMap<number, string>;
  readonly #bodies: readonly number[];
  readonly #locations: Uint8Array;
  readonly #ranges: Uint8Array;

  constructor(linked: Uint8Array, shipped: Uint8Array) {
    const code = codeRange(linked);
    this.codeStart = codeRange(shipped).start;
    const programs = readLinePrograms(
      customSection(linked, '.debug_line') ?? NO_BYTES,
      code.end - code.start,
    );
    const rows = new Map<number, LineRow>();
    // Of two rows at one address the later holds; an end counts only where nothing else begins.
    for (const row of programs.flatMap((program) => program.rows)) {
      const present = rows.get(row.address);
      if (present === undefined || present.isEnd || !row.isEnd) rows.set(row.address, row);
    }
    this.rows = [...rows.values()].sort((a, b) => a.address - b.address);
    this.#locations = customSection(linked, '.debug_loc') ?? NO_BYTES;
    this.#ranges = customSection(linked, '.debug_ranges') ?? NO_BYTES;
    this.#names = new Map(functionNames(linked).map(({ index, name }) => [index, name]));
    this.#bodies = functionBodies(linked).map((start) => start - code.start);
    const units = new EntryReader(linked).units();
    for (const unit of units) this.#index(unit);
    this.#functions = units
      .flatMap((unit) => {
        const files = programs.find(({ offset }) => offset === numberOf(unit, AT.lineProgram))?.files ?? [];
        return [...entriesBelow(unit, TAG.subprogram)].flatMap((entry) =>
          this.rangesOf(entry)
            .filter(({ low }) => low > 0 && low < code.end - code.start)
            .map((range) => ({ ...range, entry, files })),
        );
      })
      .sort((a, b) => a.low - b.low);
    this.#globals = units.flatMap((unit) => unit.children.filter(({ tag }) => tag === TAG.variable));
  }

  #index(entry: Entry): void {
    this.#entries.set(entry.offset, entry);
    for (const child of entry.children) this.#index(child);
  }

  /** What a reference of an entry means; null: it has none. */
  referred(entry: Entry, attribute: number): Entry | null {
    const offset = numberOf(entry, attribute);
    return offset === null ? null : (this.#entries.get(offset) ?? null);
  }

  /** The entry itself, or what it is an instance or the definition of. */
  #origin(entry: Entry): Entry {
    const origin = this.referred(entry, AT.abstractOrigin) ?? this.referred(entry, AT.specification);
    return origin === null ? entry : this.#origin(origin);
  }

  nameOf(entry: Entry): string {
    const name = textOf(entry, AT.name) ?? textOf(this.#origin(entry), AT.name) ?? '';
    return MAIN_NAMES.includes(name) ? 'main' : name;
  }

  rangesOf(entry: Entry): readonly AddressRange[] {
    const list = numberOf(entry, AT.ranges);
    if (list !== null) return rangesAt(this.#ranges, list, entry.unit.base);
    const [low, length] = [numberOf(entry, AT.lowPc), numberOf(entry, AT.highPc)];
    return low === null || length === null ? [] : [{ low, high: low + length }];
  }

  /** The row that holds at an address: the last one before it. */
  rowAt(address: number): LineRow | null {
    const [from, to] = [0, this.rows.length];
    const at = lowerBound(this.rows, address, from, to);
    const row = this.rows[this.rows[at]?.address === address ? at : at - 1];
    return row === undefined || row.isEnd ? null : row;
  }

  /** The function that holds an address; null: code without debug information. */
  functionAt(address: number): FunctionEntry | null {
    return this.#functions.find(({ low, high }) => address >= low && address < high) ?? null;
  }

  /** Where the app's own `main` has its parameters in place; null: it was inlined, or is not in C. */
  get mainAddress(): number | null {
    const main = this.#functions.find(({ entry }) => this.nameOf(entry) === 'main');
    return main === undefined ? null : this.bodyOf(main);
  }

  /** Where a function's parameters are in place: behind its prologue. */
  bodyOf(range: AddressRange): number {
    const rows = this.rows.filter(
      ({ address, isEnd }) => !isEnd && address >= range.low && address < range.high,
    );
    return (rows.find(({ endsPrologue }) => endsPrologue) ?? rows[1])?.address ?? range.low;
  }

  /** Where functions begin whose linkage name matches, also those of libraries without debug information. */
  functionsNamed(pattern: RegExp): readonly number[] {
    const imports = this.#names.size - this.#bodies.length;
    return [...this.#names].flatMap(([index, name]) => {
      const body = this.#bodies[index - imports];
      return body === undefined || !pattern.test(name) ? [] : [body];
    });
  }

  /** Name of the function that an address lies in, by the linker's names. */
  #linkageName(address: number): string {
    const next = this.#bodies.findIndex((start) => start > address);
    const body = (next === -1 ? this.#bodies.length : next) - 1;
    return this.#names.get(this.#names.size - this.#bodies.length + body) ?? '';
  }

  /** The frames of the source at an address, innermost first. */
  framesAt(address: number): readonly SourceFrame[] {
    const found = this.functionAt(address);
    const row = this.rowAt(address);
    if (found === null) {
      const name = this.#linkageName(address);
      return [{ name, file: row?.file ?? '', line: row?.line ?? 0, scopes: [], frameBase: null }];
    }
    const base = found.entry.attributes.get(AT.frameBase);
    const frameBase = base instanceof Uint8Array ? base : null;
    const frames: SourceFrame[] = [];
    let scopes: Entry[] = [];
    let place = { file: row?.file ?? '', line: row?.line ?? 0 };
    for (const entry of this.#chainAt(found.entry, address)) {
      scopes.push(entry);
      if (entry.tag === TAG.block) continue;
      frames.push({ name: this.nameOf(entry), ...place, scopes, frameBase });
      scopes = [];
      place = {
        file: found.files[numberOf(entry, AT.callFile) ?? 0] ?? '',
        line: numberOf(entry, AT.callLine) ?? 0,
      };
    }
    return frames;
  }

  /** The entries that hold an address, innermost first. */
  #chainAt(entry: Entry, address: number): readonly Entry[] {
    for (const child of entry.children) {
      if (child.tag !== TAG.block && child.tag !== TAG.inlined) continue;
      if (this.rangesOf(child).some(({ low, high }) => address >= low && address < high))
        return [...this.#chainAt(child, address), entry];
    }
    return [entry];
  }

  /** Parameters and local variables of a frame, those of inner blocks first: they hide those of outer ones. */
  localsOf(frame: SourceFrame, address: number): readonly Variable[] {
    const locals = frame.scopes.flatMap(({ children }) =>
      children
        .filter(({ tag }) => tag === TAG.parameter || tag === TAG.variable)
        .map((entry) => this.#variable(entry, address)),
    );
    return locals.filter(
      ({ name }, at) => name !== '' && locals.findIndex((one) => one.name === name) === at,
    );
  }

  /** Global and file-static variables of the units whose name begins with `prefix`, by name. */
  globals(prefix: string): readonly Variable[] {
    const own = this.#globals.filter(({ unit }) =>
      (textOf(this.#entryOf(unit.offset), AT.name) ?? '').startsWith(prefix),
    );
    return own
      .map((entry) => this.#variable(entry, 0))
      .filter(({ name, location }) => name !== '' && location !== null)
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  #entryOf(unitOffset: number): Entry {
    const root = this.#entries.get(unitOffset + UNIT_HEADER);
    if (root === undefined) throw new RangeError(`There is no unit at ${unitOffset}.`);
    return root;
  }

  #variable(entry: Entry, address: number): Variable {
    const origin = this.#origin(entry);
    const at = entry.attributes.get(AT.location);
    const location =
      at instanceof Uint8Array
        ? at
        : typeof at === 'number'
          ? locationAt(this.#locations, at, entry.unit.base, address)
          : null;
    return {
      name: this.nameOf(entry),
      type: this.referred(origin, AT.type) ?? this.referred(entry, AT.type),
      location,
      constant: numberOf(entry, AT.constValue) ?? numberOf(origin, AT.constValue),
    };
  }

  /**
   * Where to stop for a line of a file: once in each function or inlined copy that has code for it. The next line with
   * code stands in for one without; null: there is none behind it.
   */
  stopsFor(
    file: string,
    line: number,
  ): { readonly line: number; readonly addresses: readonly number[] } | null {
    const rows = this.rows.filter(
      (row) => row.file === file && row.isStatement && !row.isEnd && row.line >= line,
    );
    const first = Math.min(...rows.map((row) => row.line));
    if (!Number.isFinite(first)) return null;
    const stops = new Map<Entry | null, number>();
    for (const { address, line: at } of rows) {
      if (at !== first) continue;
      const scope = this.#copyAt(address);
      if (!stops.has(scope)) stops.set(scope, address);
    }
    const addresses = [...stops.values()].map((address) => {
      const found = this.functionAt(address);
      return found?.low === address ? this.bodyOf(found) : address;
    });
    const [address = 0] = addresses;
    return { line: this.rowAt(address)?.line ?? first, addresses };
  }

  /** The function, or the inlined copy of one, that an address belongs to. */
  #copyAt(address: number): Entry | null {
    const found = this.functionAt(address);
    return found === null
      ? null
      : (this.#chainAt(found.entry, address).find(({ tag }) => tag !== TAG.block) ?? null);
  }

  /** Stretches of code around an address that belong to the same line of the same function or inlined copy. */
  lineRanges(address: number): readonly AddressRange[] {
    const here = this.rowAt(address);
    const found = this.functionAt(address);
    if (here === null || found === null) return [];
    const copy = this.#copyAt(address);
    const ranges: { low: number; high: number }[] = [];
    for (const [at, row] of this.rows.entries()) {
      if (row.address < found.low || row.address >= found.high || row.isEnd) continue;
      const isSame =
        row.line === 0 ||
        (row.line === here.line && row.file === here.file && this.#copyAt(row.address) === copy);
      if (!isSame) continue;
      const high = Math.min(this.rows[at + 1]?.address ?? found.high, found.high);
      const last = ranges.at(-1);
      if (last?.high === row.address) last.high = high;
      else ranges.push({ low: row.address, high });
    }
    return ranges;
  }
}

const UNIT_HEADER = 11;

function* entriesBelow(entry: Entry, tag: number): Generator<Entry> {
  for (const child of entry.children) {
    if (child.tag === tag) yield child;
    yield* entriesBelow(child, tag);
  }
}

/** The first index whose address is not below `address`. */
function lowerBound(rows: readonly LineRow[], address: number, from: number, to: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.address ?? Infinity) < address) low = middle + 1;
    else high = middle;
  }
  return low;
}
