import { type CborValue, encodeCbor } from '../cbor.ts';
import { fromHex } from '../bytes.ts';

/**
 * A reader of CBOR diagnostic notation (RFC 8949 §8), as far as foreign vectors use it: maps, arrays, integers,
 * texts, h'…', true, false, null, and comments in slashes. For tests alone: devices and service never see it.
 */
class DiagnosticReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The one item that the text holds. */
  document(): CborValue {
    const value = this.#value();
    this.#space();
    if (this.#at !== this.#text.length) throw this.#wrong('the end');
    return value;
  }

  #wrong(expected: string): Error {
    return new Error(`diagnostic notation: expected ${expected} at ${this.#at}`);
  }

  #match(pattern: RegExp): string | null {
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #space(): void {
    this.#match(/(\s|\/[^/]*\/)*/);
  }

  #take(token: string): boolean {
    this.#space();
    const isThere = this.#text.startsWith(token, this.#at);
    if (isThere) this.#at += token.length;
    return isThere;
  }

  #value(): CborValue {
    if (this.#take('{')) return new Map(this.#items('}', () => this.#entry()));
    if (this.#take('[')) return this.#items(']', () => this.#value());
    const bytes = this.#match(/h'[0-9A-Fa-f\s]*'/);
    if (bytes !== null) return fromHex(bytes.slice(2, -1).replaceAll(/\s/g, ''));
    const text = this.#match(/"([^"\\]|\\.)*"/);
    if (text !== null) return JSON.parse(text) as string;
    const number = this.#match(/-?[0-9]+/);
    if (number !== null) return Number(number);
    const simple = this.#match(/true|false|null/);
    if (simple !== null) return JSON.parse(simple) as boolean | null;
    throw this.#wrong('a value');
  }

  #entry(): readonly [number | string, CborValue] {
    const key = this.#value();
    if (typeof key !== 'number' && typeof key !== 'string') throw this.#wrong('a key');
    if (!this.#take(':')) throw this.#wrong('a colon');
    return [key, this.#value()];
  }

  #items<T>(end: string, read: () => T): T[] {
    const items: T[] = [];
    if (this.#take(end)) return items;
    for (;;) {
      items.push(read());
      if (this.#take(end)) return items;
      if (!this.#take(',')) throw this.#wrong(`a comma or ${end}`);
    }
  }
}

/** The bytes that a text in diagnostic notation stands for. */
export function encodeDiagnostic(text: string): Uint8Array {
  return encodeCbor(new DiagnosticReader(text).document());
}
