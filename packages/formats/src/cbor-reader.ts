import { isBytes } from './bytes.ts';
import { type CborMap, type CborValue } from './cbor.ts';
import { FormatError } from './errors.ts';
import { utf8Length } from './utf8.ts';

/** The keys of a map, by the name that code and error messages use. One table makes encoder and decoder. */
export type CborKeys = Readonly<Record<string, number | string>>;

/** Builds a map from named fields; fields that are `undefined` are left out. */
export function cborMap<Keys extends CborKeys>(
  keys: Keys,
  fields: { readonly [Name in keyof Keys]: CborValue | undefined },
): CborMap {
  const map = new Map<number | string, CborValue>();
  for (const name of Object.keys(keys)) {
    const value = fields[name];
    const key = keys[name];
    if (value !== undefined && key !== undefined) map.set(key, value);
  }
  return map;
}

const join = (path: string, name: string | number): string =>
  path === '' ? String(name) : `${path}.${name}`;

function wrongType(field: string, wanted: string): FormatError {
  return new FormatError('WrongType', `${field === '' ? 'The document' : field} must be ${wanted}.`, {
    field,
    rule: wanted,
  });
}

export interface Range {
  readonly min?: number;
  /** Largest allowed value: 2^53 - 1 unless told. */
  readonly max?: number;
}
export type BytesRule = { readonly length: number } | { readonly min?: number; readonly max: number };

/** An integer of a decoded value within a range (0 … 2^53-1 unless told). */
export function readUint(
  value: CborValue,
  field: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Range = {},
): number {
  if (typeof value !== 'number') throw wrongType(field, 'an integer');
  if (value < min || value > max) {
    const rule = `between ${min} and ${max}`;
    throw new FormatError('ValueOutOfRange', `${field} is ${value}, it must be ${rule}.`, { field, rule });
  }
  return value;
}

/** A text of at most `max` bytes of UTF-8. */
export function readText(value: CborValue, field: string, max: number): string {
  if (typeof value !== 'string') throw wrongType(field, 'a text');
  if (utf8Length(value) > max) {
    const rule = `at most ${max} bytes of UTF-8`;
    throw new FormatError('TooLong', `${field} is too long, it must have ${rule}.`, { field, rule });
  }
  return value;
}

/** A byte string of exactly `length`, or of `min` to `max` bytes. */
export function readBytes(value: CborValue, field: string, rule: BytesRule): Uint8Array {
  if (!isBytes(value)) throw wrongType(field, 'a byte string');
  const least = 'length' in rule ? rule.length : (rule.min ?? 0);
  const most = 'length' in rule ? rule.length : rule.max;
  if (value.length < least || value.length > most) {
    const text = least === most ? `exactly ${most} bytes` : `${least} to ${most} bytes`;
    throw new FormatError(
      value.length > most && least !== most ? 'TooLong' : 'WrongLength',
      `${field} has ${value.length} bytes, it must have ${text}.`,
      { field, rule: text },
    );
  }
  return value;
}

/** An array of at most `max` items. */
export function readArray(value: CborValue, field: string, max: number): readonly CborValue[] {
  if (!Array.isArray(value)) throw wrongType(field, 'an array');
  if (value.length > max) {
    const rule = `at most ${max} items`;
    throw new FormatError('TooMany', `${field} has ${value.length} items, it must have ${rule}.`, {
      field,
      rule,
    });
  }
  return value as readonly CborValue[];
}

const namesByTable = new WeakMap<CborKeys, ReadonlySet<number | string>>();

function namesOf(keys: CborKeys): ReadonlySet<number | string> {
  const known = namesByTable.get(keys);
  if (known !== undefined) return known;
  const names = new Set(Object.values(keys));
  namesByTable.set(keys, names);
  return names;
}

/**
 * Reads a decoded map field by field: every refusal is a `FormatError` that names the field by its dotted path.
 * Call `end()` last: it refuses keys that nobody asked for.
 */
export class CborMapReader<Keys extends CborKeys> {
  /** As with the decoder: its shape is to outlive the readers of one message. */
  static readonly kept = new CborMapReader(new Map(), {});
  readonly #map: CborMap;
  readonly #keys: Keys;
  /** Dotted path of this map, `''` at the top. */
  readonly path: string;

  constructor(value: CborValue, keys: Keys, path = '') {
    if (!(value instanceof Map)) throw wrongType(path, 'a map');
    this.#map = value as CborMap;
    this.#keys = keys;
    this.path = path;
  }

  /** Dotted path of one of this map's fields. */
  at(name: keyof Keys & string): string {
    return join(this.path, name);
  }

  has(name: keyof Keys & string): boolean {
    const key = this.#keys[name];
    return key !== undefined && this.#map.has(key);
  }

  /** The value as decoded. Throws `MissingField`. */
  value(name: keyof Keys & string): CborValue {
    const key = this.#keys[name];
    const value = key === undefined ? undefined : this.#map.get(key);
    if (value === undefined) {
      const field = this.at(name);
      throw new FormatError('MissingField', `${field} is missing.`, {
        field,
        rule: `key ${String(key)} is required`,
      });
    }
    return value;
  }

  uint(name: keyof Keys & string, range?: Range): number {
    return readUint(this.value(name), this.at(name), range);
  }

  text(name: keyof Keys & string, max: number): string {
    return readText(this.value(name), this.at(name), max);
  }

  bytes(name: keyof Keys & string, rule: BytesRule): Uint8Array {
    return readBytes(this.value(name), this.at(name), rule);
  }

  boolean(name: keyof Keys & string): boolean {
    const value = this.value(name);
    if (typeof value !== 'boolean') throw wrongType(this.at(name), 'true or false');
    return value;
  }

  /** Each item of an array, handed to `read` with its own dotted path. */
  array<T>(
    name: keyof Keys & string,
    max: number,
    read: (item: CborValue, field: string) => T,
  ): readonly T[] {
    const field = this.at(name);
    return readArray(this.value(name), field, max).map((item, index) => read(item, join(field, index)));
  }

  /** A reader over a map inside this one. */
  map<Inner extends CborKeys>(name: keyof Keys & string, keys: Inner): CborMapReader<Inner> {
    return new CborMapReader(this.value(name), keys, this.at(name));
  }

  /** What `read` gives, or `null` where the value is CBOR null. The key itself is required. */
  nullable<T>(name: keyof Keys & string, read: () => T): T | null {
    return this.value(name) === null ? null : read();
  }

  /** What `read` gives, or `undefined` where the key is absent. */
  optional<T>(name: keyof Keys & string, read: () => T): T | undefined {
    return this.has(name) ? read() : undefined;
  }

  /** Refuses every key that the table does not name, with `UnknownField`. */
  end(): void {
    const known = namesOf(this.#keys);
    for (const key of this.#map.keys()) {
      if (!known.has(key)) {
        throw new FormatError(
          'UnknownField',
          `Unknown key ${JSON.stringify(key)} in ${this.path || 'the document'}.`,
          {
            field: join(this.path, key),
            rule: 'no keys but the documented ones',
          },
        );
      }
    }
  }
}
