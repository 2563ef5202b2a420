import { FormatError } from './errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from './json.ts';

/** Types of peripherals in a hardware definition; `int` is a channel or chip select, which no manifest may name. */
export const PERIPHERAL_TYPES = ['Gpio', 'I2cMaster', 'SpiMaster', 'Uart', 'Adc', 'Pwm', 'int'] as const;
export type PeripheralType = (typeof PERIPHERAL_TYPES)[number];

/** A named peripheral, followed through all mappings to the chip. */
export interface HardwarePeripheral {
  readonly name: string;
  readonly type: PeripheralType;
  /** What stands for `$NAME` in a manifest; `null` where none may. */
  readonly appManifestValue: number | string | null;
  /** What stands for `NAME` in C, such as `(8)`; `null` where the definition has none. */
  readonly mainCoreHeaderValue: string | null;
}

/** A board as an app sees it: names and what they mean on the chip (azure-sphere.md §4.3). */
export interface HardwareDefinition {
  readonly name: string;
  /** All peripherals, those of imported definitions included. */
  readonly peripherals: ReadonlyMap<string, HardwarePeripheral>;
}

/** One definition file, as the loader found it. */
export interface HardwareDefinitionFile {
  /** Says which file this is, the same however it was reached: an absolute path, say. */
  readonly id: string;
  readonly content: Uint8Array;
}
/** Finds the file that `path` means in the file `from` (`null`: the first one); `null` where there is none. */
export type HardwareDefinitionLoader = (
  path: string,
  from: string | null,
) => Promise<HardwareDefinitionFile | null> | HardwareDefinitionFile | null;

const MAX_FILES = 64;
const MAX_PERIPHERALS = 4096;
const NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

interface Declared {
  readonly name: string;
  readonly type: PeripheralType;
  readonly mapping: string | null;
  readonly appManifestValue: number | string | null;
  readonly mainCoreHeaderValue: string | null;
  readonly field: string;
}

function invalid(field: string, rule: string): never {
  throw new FormatError(
    'HardwareDefinitionInvalid',
    `${field} of the hardware definition is wrong: it must be ${rule}.`,
    {
      field,
      rule,
    },
  );
}

function readItems(json: JsonObject, name: string, file: string): readonly JsonObject[] {
  const value: JsonValue = json.get(name) ?? [];
  const rule = `an array of at most ${MAX_PERIPHERALS} objects`;
  if (!Array.isArray(value) || value.length > MAX_PERIPHERALS) return invalid(`${file}: ${name}`, rule);
  return (value as readonly JsonValue[]).map((item) =>
    isJsonObject(item) ? item : invalid(`${file}: ${name}`, rule),
  );
}

function readDeclared(json: JsonObject, field: string): Declared {
  const name = json.get('Name');
  if (typeof name !== 'string' || !NAME_PATTERN.test(name)) return invalid(`${field}.Name`, 'a C identifier');
  const type = PERIPHERAL_TYPES.find((known) => known === json.get('Type'));
  if (type === undefined) return invalid(`${field}.Type`, `one of ${PERIPHERAL_TYPES.join(', ')}`);
  const mapping = json.get('Mapping') ?? null;
  const manifest = json.get('AppManifestValue') ?? null;
  const header = json.get('MainCoreHeaderValue') ?? null;
  if (mapping !== null && typeof mapping !== 'string')
    return invalid(`${field}.Mapping`, 'the name of a peripheral');
  if (manifest !== null && typeof manifest !== 'string' && !Number.isInteger(manifest)) {
    return invalid(`${field}.AppManifestValue`, 'an integer or a text');
  }
  // It goes into a C header as it is: a number, perhaps negative, perhaps in parentheses.
  if (header !== null && (typeof header !== 'string' || !/^(?:-?\w+|\(-?\w+\))$/.test(header))) {
    return invalid(`${field}.MainCoreHeaderValue`, 'a number as C has it');
  }
  if (mapping === null ? manifest === null && header === null : manifest !== null || header !== null) {
    return invalid(field, 'either mapped to a peripheral or given values');
  }
  return {
    name,
    type,
    mapping,
    appManifestValue: manifest as number | string | null,
    mainCoreHeaderValue: header,
    field,
  };
}

class DefinitionLoader {
  readonly #load: HardwareDefinitionLoader;
  readonly #declared = new Map<string, Declared>();
  readonly #done = new Set<string>();
  readonly #open: string[] = [];

  constructor(load: HardwareDefinitionLoader) {
    this.#load = load;
  }

  async file(path: string, from: string | null): Promise<string> {
    const file = await this.#load(path, from);
    if (file === null) {
      throw new FormatError(
        'HardwareImportNotFound',
        `The hardware definition ${JSON.stringify(path)} is not found.`,
        {
          field: from === null ? path : `${from}: Imports`,
        },
      );
    }
    if (this.#open.includes(file.id)) {
      throw new FormatError('HardwareImportCycle', `The hardware definition ${file.id} imports itself.`, {
        field: [...this.#open, file.id].join(' → '),
        rule: 'no cycles',
      });
    }
    // Two ways to one file are no contradiction.
    if (this.#done.has(file.id)) return '';
    if (this.#done.size + this.#open.length >= MAX_FILES) {
      throw new FormatError('TooManyHardwareImports', 'The hardware definition imports too many files.', {
        rule: `at most ${MAX_FILES} files`,
      });
    }
    this.#open.push(file.id);
    const name = await this.#content(file);
    this.#open.pop();
    this.#done.add(file.id);
    return name;
  }

  async #content(file: HardwareDefinitionFile): Promise<string> {
    const json = parseJson(file.content, { maxBytes: 1024 * 1024, maxDepth: 8, name: file.id });
    const metadata = isJsonObject(json) ? json.get('Metadata') : undefined;
    const known =
      isJsonObject(metadata) &&
      metadata.get('Type') === 'Azure Sphere Hardware Definition' &&
      metadata.get('Version') === 1;
    if (!isJsonObject(json) || !known) {
      return invalid(`${file.id}: Metadata`, '{"Type": "Azure Sphere Hardware Definition", "Version": 1}');
    }
    for (const item of readItems(json, 'Imports', file.id)) {
      const path = item.get('Path');
      if (typeof path !== 'string' || path === '')
        return invalid(`${file.id}: Imports`, 'objects with a Path');
      await this.file(path, file.id);
    }
    for (const [index, item] of readItems(json, 'Peripherals', file.id).entries()) {
      this.#declare(readDeclared(item, `${file.id}: Peripherals[${index}]`));
    }
    const description = json.get('Description');
    const name = isJsonObject(description) ? description.get('Name') : undefined;
    return typeof name === 'string' ? name : file.id;
  }

  #declare(declared: Declared): void {
    if (this.#declared.has(declared.name)) {
      throw new FormatError('DuplicatePeripheralName', `The peripheral ${declared.name} is declared twice.`, {
        field: declared.field,
        rule: 'each name once, imports included',
      });
    }
    if (this.#declared.size >= MAX_PERIPHERALS) invalid(declared.field, `one of at most ${MAX_PERIPHERALS}`);
    this.#declared.set(declared.name, declared);
  }

  resolved(): ReadonlyMap<string, HardwarePeripheral> {
    const peripherals = new Map<string, HardwarePeripheral>();
    for (const declared of this.#declared.values()) {
      const { name, type } = declared;
      const { appManifestValue, mainCoreHeaderValue } = this.#source(declared);
      peripherals.set(name, { name, type, appManifestValue, mainCoreHeaderValue });
    }
    return peripherals;
  }

  /** Follows mappings to the peripheral that has values. Mapping round in a circle leads to none. */
  #source(declared: Declared): Declared {
    let at = declared;
    for (let steps = 0; at.mapping !== null; steps++) {
      const next = this.#declared.get(at.mapping);
      if (next === undefined || steps > this.#declared.size) {
        throw new FormatError('UnknownPeripheralMapping', `The peripheral ${at.mapping} is not found.`, {
          field: `${at.field}.Mapping`,
          rule: 'the name of a peripheral of this or an imported definition',
        });
      }
      if (next.type !== declared.type) {
        throw new FormatError(
          'PeripheralTypeMismatch',
          `${at.name} is a ${at.type}, but ${next.name} a ${next.type}.`,
          {
            field: `${at.field}.Mapping`,
            rule: 'a peripheral of the same type',
          },
        );
      }
      at = next;
    }
    return at;
  }
}

/**
 * Reads a hardware definition and everything it imports. The loader does the disk; everything it brings is
 * bounded in size and number.
 */
export async function loadHardwareDefinition(
  path: string,
  load: HardwareDefinitionLoader,
): Promise<HardwareDefinition> {
  const loader = new DefinitionLoader(load);
  const name = await loader.file(path, null);
  return { name, peripherals: loader.resolved() };
}

/** The text of the C header of a definition: one macro a peripheral. */
export function hardwareHeader(definition: HardwareDefinition): string {
  const macros = [...definition.peripherals.values()]
    .filter((peripheral) => peripheral.mainCoreHeaderValue !== null)
    .map((peripheral) => `#define ${peripheral.name} ${peripheral.mainCoreHeaderValue ?? ''}`);
  return ['#pragma once', '', ...macros, ''].join('\n');
}
