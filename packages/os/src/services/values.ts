import { isBytes, type PortValue } from '@sevenfold/formats';
import { ServicesError } from './errors.ts';

type Fields = { readonly [key: string]: PortValue };

function refuse(field: string, rule: string): never {
  throw new ServicesError('BadReply', `The kernel's answer is wrong at ${field}: ${rule}.`, { field, rule });
}

function isFields(value: PortValue): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value);
}

/** Reads one answer of the kernel, field by field; whatever is not as the call table says is `BadReply`. */
export class ReplyReader {
  readonly #fields: Fields;
  readonly #path: string;

  constructor(value: PortValue, path: string) {
    this.#fields = isFields(value) ? value : refuse(path, 'an object');
    this.#path = path;
  }

  #get(key: string): PortValue {
    return this.#fields[key] ?? null;
  }

  text(key: string): string {
    return textValue(this.#get(key), `${this.#path}.${key}`);
  }

  number(key: string): number {
    return numberValue(this.#get(key), `${this.#path}.${key}`);
  }

  optionalNumber(key: string): number | null {
    const value = this.#get(key);
    return value === null ? null : numberValue(value, `${this.#path}.${key}`);
  }

  flag(key: string): boolean {
    const value = this.#get(key);
    return typeof value === 'boolean' ? value : refuse(`${this.#path}.${key}`, 'a boolean');
  }

  bytes(key: string): Uint8Array {
    return bytesValue(this.#get(key), `${this.#path}.${key}`);
  }

  /** A list of objects. */
  list(key: string): ReplyReader[] {
    return listValue(this.#get(key), `${this.#path}.${key}`);
  }

  /** A list of texts. */
  texts(key: string): string[] {
    const value = this.#get(key);
    if (!Array.isArray(value)) return refuse(`${this.#path}.${key}`, 'a list');
    return value.map((item: PortValue) => textValue(item, `${this.#path}.${key}`));
  }

  /** A list of texts; none where a layer of an earlier release does not know the field. */
  textsIfKnown(key: string): string[] {
    return this.#get(key) === null ? [] : this.texts(key);
  }

  /** A list of lists of texts; null where a layer of an earlier release does not know the field. */
  textLists(key: string): string[][] | null {
    const value = this.#get(key);
    if (value === null) return null;
    const path = `${this.#path}.${key}`;
    if (!Array.isArray(value)) return refuse(path, 'a list');
    return value.map((item: PortValue) =>
      Array.isArray(item)
        ? item.map((text: PortValue) => textValue(text, path))
        : refuse(path, 'a list of lists'),
    );
  }

  /** An object, or null. */
  optional(key: string): ReplyReader | null {
    const value = this.#get(key);
    return value === null ? null : new ReplyReader(value, `${this.#path}.${key}`);
  }
}

function textValue(value: PortValue, path: string): string {
  return typeof value === 'string' ? value : refuse(path, 'a text');
}

export function numberValue(value: PortValue, path: string): number {
  return typeof value === 'number' ? value : refuse(path, 'a number');
}

export function bytesValue(value: PortValue, path: string): Uint8Array {
  return isBytes(value) ? value : refuse(path, 'bytes');
}

/** A list of objects. */
export function listValue(value: PortValue, path: string): ReplyReader[] {
  if (!Array.isArray(value)) return refuse(path, 'a list');
  return value.map((item: PortValue, index) => new ReplyReader(item, `${path}.${index}`));
}
