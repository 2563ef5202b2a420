import { FormatError } from './errors.ts';
import { utf8Decode } from './utf8.ts';

/** A JSON value whose objects are maps: no key of the input can play tricks on a prototype. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Bounds of a JSON document. */
export interface JsonLimits {
  /** 64 KiB unless told. */
  readonly maxBytes?: number;
  /** Nesting of arrays and objects: 16 unless told. */
  readonly maxDepth?: number;
  /** What a person calls the document, where there are several. */
  readonly name?: string;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

/** One token of a text that is known to be well-formed JSON. */
const TOKEN = /\s*(?:([{}[\],:])|("[^"\\]*(?:\\.[^"\\]*)*")|([^\s{}[\],:"]+))/y;

class JsonReader {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #of: string;
  #at = 0;

  constructor(text: string, maxDepth: number, of: string) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#of = of;
  }

  #next(): string {
    TOKEN.lastIndex = this.#at;
    const [whole = '', mark, string, scalar] = TOKEN.exec(this.#text) ?? [];
    this.#at += whole.length;
    return mark ?? string ?? scalar ?? '';
  }

  #peekIs(mark: string): boolean {
    const start = this.#at;
    if (this.#next() === mark) return true;
    this.#at = start;
    return false;
  }

  value(depth: number, path: string): JsonValue {
    if (depth > this.#maxDepth) {
      throw new FormatError('JsonTooDeep', `The JSON nests deeper than ${this.#maxDepth} levels.`, {
        field: path,
        rule: `at most ${this.#maxDepth} levels`,
      });
    }
    const token = this.#next();
    if (token === '[') return this.#array(depth, path);
    if (token === '{') return this.#object(depth, path);
    return JSON.parse(token) as null | boolean | number | string;
  }

  #array(depth: number, path: string): readonly JsonValue[] {
    const items: JsonValue[] = [];
    if (this.#peekIs(']')) return items;
    do items.push(this.value(depth + 1, `${path}[${items.length}]`));
    while (this.#next() === ',');
    return items;
  }

  #object(depth: number, path: string): JsonObject {
    const object = new Map<string, JsonValue>();
    if (this.#peekIs('}')) return object;
    do {
      const key = JSON.parse(this.#next()) as string;
      this.#next();
      const field = path === '' ? key : `${path}.${key}`;
      if (object.has(key)) {
        throw new FormatError('DuplicateJsonKey', `${this.#of}${field} appears twice.`, {
          field,
          rule: 'each name once',
        });
      }
      object.set(key, this.value(depth + 1, field));
    } while (this.#next() === ',');
    return object;
  }
}

/**
 * Parses a JSON document (RFC 8259) in UTF-8, with or without a byte order mark. Duplicate names, which parsers
 * elsewhere take one way or the other, are refused.
 */
export function parseJson(untrusted: Uint8Array, limits: JsonLimits = {}): JsonValue {
  const { maxBytes = 64 * 1024, maxDepth = 16, name } = limits;
  const of = name === undefined ? '' : `${name}: `;
  if (untrusted.length > maxBytes) {
    throw new FormatError('JsonTooLarge', `${of}The JSON document has ${untrusted.length} bytes.`, {
      rule: `at most ${maxBytes} bytes`,
    });
  }
  let text: string;
  try {
    text = utf8Decode(untrusted).replace(/^\uFEFF/u, '');
    // The language's own parser judges the grammar; what is read below is known to be well-formed.
    JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown reason';
    throw new FormatError('InvalidJson', `${of}The document is not JSON: ${why}`, {
      rule: 'RFC 8259',
      cause,
    });
  }
  return new JsonReader(text, maxDepth, of).value(0, '');
}
