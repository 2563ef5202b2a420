import { KernelError, type KernelErrorCode } from './errors.ts';
import { findImport } from './import-table.ts';
import { WasmReader } from './wasm-reader.ts';

/** What a compartment of this chip SKU may take. */
export interface ModuleLimits {
  /** Bytes of linear memory (azure-sphere.md §3.4: 256 KiB). */
  readonly memory: number;
}

/** What the kernel knows of a module that passed: bytes of memory at start and at most. */
export interface ModuleFacts {
  readonly initialMemory: number;
  readonly maximumMemory: number;
}

const WASM_PAGE = 65_536;
const LARGEST_MODULE = 1024 * 1024;
const MOST_TABLE_ELEMENTS = 16_384;
/** Section ids (core specification §5.5.2). */
const SECTION = {
  custom: 0,
  type: 1,
  imports: 2,
  function: 3,
  table: 4,
  memory: 5,
  export: 7,
  start: 8,
  tag: 13,
} as const;
/** Order in which sections stand (§5.5.16): tags come before globals, the data count before code. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
const TYPE_LETTER: Readonly<Record<number, string>> = {
  0x7f: 'i',
  0x7e: 'I',
  0x7d: 'f',
  0x7c: 'F',
  0x7b: 'v',
};
const FUNCTION_TYPE = 0x60;
const FUNCREF = 0x70;

interface FunctionType {
  readonly params: string;
  readonly results: string;
}

const refuse = (code: KernelErrorCode, message: string, rule?: string): KernelError =>
  new KernelError(code, message, { field: 'EntryPoint', rule });

function readTypes(section: WasmReader): FunctionType[] {
  const letters = (): string => {
    let text = '';
    for (let left = section.count(); left > 0; left -= 1) {
      const letter = TYPE_LETTER[section.byte()];
      if (letter === undefined)
        throw refuse('UnsupportedFeature', 'The module uses reference types as values.');
      text += letter;
    }
    return text;
  };
  const types: FunctionType[] = [];
  for (let left = section.count(); left > 0; left -= 1) {
    // Garbage-collected types live outside linear memory, where no quota counts them.
    if (section.byte() !== FUNCTION_TYPE) {
      throw refuse('UnsupportedFeature', 'The module declares types other than functions.');
    }
    types.push({ params: letters(), results: letters() });
  }
  section.end('type');
  return types;
}

function checkImports(section: WasmReader, types: readonly FunctionType[]): number {
  const count = section.count();
  for (let left = count; left > 0; left -= 1) {
    const moduleName = section.name();
    const name = section.name();
    const kind = section.byte();
    const row = findImport(moduleName, name);
    if (row === null || kind !== 0) {
      throw refuse('UnknownImport', `The module imports ${moduleName}.${name}, which no compartment offers.`);
    }
    const type = types[section.u32()];
    if (type === undefined) throw refuse('ModuleMalformed', `${name} has a type that does not exist.`);
    if (type.params !== row.params || type.results !== row.result) {
      throw refuse(
        'WrongImportSignature',
        `The module imports ${moduleName}.${name} with another signature.`,
      );
    }
  }
  section.end('imports');
  return count;
}

function readLimits(section: WasmReader, what: string): { min: number; max: number | null } {
  const flags = section.byte();
  if ((flags & 0x02) !== 0) throw refuse('SharedMemory', `The module declares a shared ${what}.`);
  if (flags > 0x01) throw refuse('UnsupportedFeature', `The module declares a ${what} of an unknown kind.`);
  return { min: section.u32(), max: flags === 0x01 ? section.u32() : null };
}

function checkMemory(section: WasmReader, limits: ModuleLimits): ModuleFacts {
  if (section.count() !== 1) throw refuse('UnsupportedFeature', 'The module must have exactly one memory.');
  const { min, max } = readLimits(section, 'memory');
  section.end('memory');
  const rule = `a declared maximum of at most ${limits.memory} bytes`;
  if (max === null) throw refuse('MemoryNotDeclared', 'The module declares no maximum of its memory.', rule);
  const facts = { initialMemory: min * WASM_PAGE, maximumMemory: max * WASM_PAGE };
  if (facts.maximumMemory > limits.memory || facts.initialMemory > limits.memory) {
    throw refuse(
      'MemoryOverQuota',
      `The module asks for up to ${facts.maximumMemory} bytes of memory.`,
      rule,
    );
  }
  return facts;
}

function checkTables(section: WasmReader): void {
  const count = section.count();
  if (count > 1) throw refuse('UnsupportedFeature', 'The module has more than one table.');
  for (let left = count; left > 0; left -= 1) {
    if (section.byte() !== FUNCREF)
      throw refuse('UnsupportedFeature', 'The module has a table of other than functions.');
    const { min, max } = readLimits(section, 'table');
    if (max === null || max > MOST_TABLE_ELEMENTS || min > MOST_TABLE_ELEMENTS) {
      throw refuse(
        'TableTooLarge',
        'The module’s table is too large.',
        `a maximum of at most ${MOST_TABLE_ELEMENTS} functions`,
      );
    }
  }
  section.end('table');
}

function checkExports(section: WasmReader, functionType: (index: number) => FunctionType | undefined): void {
  const found = new Map<string, { kind: number; index: number }>();
  for (let left = section.count(); left > 0; left -= 1) {
    const name = section.name();
    found.set(name, { kind: section.byte(), index: section.u32() });
  }
  section.end('export');
  const start = found.get('_start');
  const type = start?.kind === 0 ? functionType(start.index) : undefined;
  if (type === undefined || type.params !== '' || type.results !== '') {
    throw refuse('MissingExport', 'The module does not export the function _start without parameters.');
  }
  if (found.get('memory')?.kind !== 2)
    throw refuse('MissingExport', 'The module does not export its memory.');
}

/**
 * Judges a module before any engine sees it: imports only from the table and with its signatures, one memory
 * with a declared maximum within the quota, no shared memory, no start section (code would run before the
 * compartment is ready to end it), nothing that allocates outside linear memory. The engine validates the rest
 * when the compartment compiles it. Throws `KernelError`.
 */
export function checkModule(untrusted: Uint8Array, limits: ModuleLimits): ModuleFacts {
  if (untrusted.length > LARGEST_MODULE) {
    throw refuse(
      'ModuleTooLarge',
      `The module has ${untrusted.length} bytes.`,
      `at most ${LARGEST_MODULE} bytes`,
    );
  }
  const reader = new WasmReader(untrusted);
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  if (
    untrusted.length < header.length ||
    reader.bytes(header.length).some((byte, index) => byte !== header[index])
  ) {
    throw refuse('ModuleMalformed', 'The entry point is not a WebAssembly module of version 1.');
  }
  let types: FunctionType[] = [];
  const functions: (FunctionType | undefined)[] = [];
  let facts: ModuleFacts | null = null;
  let hasExports = false;
  let previous = -1;
  while (!reader.isAtEnd) {
    const id = reader.byte();
    const section = reader.part(reader.u32());
    if (id === SECTION.custom) continue;
    const place = SECTION_ORDER.indexOf(id);
    if (place <= previous)
      throw refuse('ModuleMalformed', `Section ${id} is unknown, repeated or out of order.`);
    previous = place;
    if (id === SECTION.type) types = readTypes(section);
    else if (id === SECTION.imports) {
      // Every import is a function, so each takes one place in the function index space.
      for (let left = checkImports(section, types); left > 0; left -= 1) functions.push(undefined);
    } else if (id === SECTION.function) {
      for (let left = section.count(); left > 0; left -= 1) functions.push(types[section.u32()]);
    } else if (id === SECTION.table) checkTables(section);
    else if (id === SECTION.memory) facts = checkMemory(section, limits);
    else if (id === SECTION.export) {
      checkExports(section, (index) => functions[index]);
      hasExports = true;
    } else if (id === SECTION.start) {
      throw refuse('StartFunction', 'The module has a start section: its entry is the export _start.');
    } else if (id === SECTION.tag) {
      throw refuse('UnsupportedFeature', 'The module uses exceptions.');
    }
  }
  if (facts === null) throw refuse('MemoryNotDeclared', 'The module has no memory of its own.');
  if (!hasExports) throw refuse('MissingExport', 'The module does not export _start and memory.');
  return facts;
}
