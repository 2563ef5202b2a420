import { isBytes, viewOf, type PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';

/**
 * Plain data as bytes, for links between processes. The reader trusts nobody: lengths are checked before anything is
 * made, depth and number of parts are bounded, every value has one form, nothing may follow.
 *
 * One byte says the kind, numbers are little-endian: 0 null · 1 false · 2 true · 3 float64 · 4 bigint (sign byte,
 * 16 bytes) · 5 text (count, UTF-16 units) · 6 bytes (count, bytes) · 7 list (count, values) ·
 * 8 record (count, pairs of text and value). Counts are 32-bit.
 */
const MOST_DEPTH = 18;
const MOST_PARTS = 100_100;
const KIND = {
  null: 0,
  false: 1,
  true: 2,
  number: 3,
  bigint: 4,
  text: 5,
  bytes: 6,
  list: 7,
  record: 8,
} as const;

function refuse(why: string): never {
  throw new BoardError('NotPlainData', `What came over the link ${why}.`, { rule: 'plain data only' });
}

/** Bytes that grow. */
class Writer {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** Room for `length` more bytes, as a view of exactly these. */
  room(length: number): DataView {
    if (this.#length + length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#length += length;
    return new DataView(this.#bytes.buffer, this.#length - length, length);
  }

  head(kind: number, count: number): void {
    const view = this.room(5);
    view.setUint8(0, kind);
    view.setUint32(1, count, true);
  }

  text(characters: string): void {
    this.head(KIND.text, characters.length);
    const view = this.room(characters.length * 2);
    for (let index = 0; index < characters.length; index++)
      view.setUint16(index * 2, characters.charCodeAt(index), true);
  }

  bytes(bytes: Uint8Array): void {
    this.head(KIND.bytes, bytes.length);
    this.room(bytes.length);
    this.#bytes.set(bytes, this.#length - bytes.length);
  }

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** The bytes of a value that `copyPlainData` has made. Throws `NotPlainData` for a bigint of more than 128 bits. */
export function encodeValue(value: PortValue): Uint8Array {
  const writer = new Writer();
  const write = (one: PortValue): void => {
    if (one === null) writer.room(1).setUint8(0, KIND.null);
    else if (typeof one === 'boolean') writer.room(1).setUint8(0, one ? KIND.true : KIND.false);
    else if (typeof one === 'number') {
      const view = writer.room(9);
      view.setUint8(0, KIND.number);
      view.setFloat64(1, one, true);
    } else if (typeof one === 'bigint') writeBigint(writer, one);
    else if (typeof one === 'string') writer.text(one);
    else if (isBytes(one)) writer.bytes(one);
    else if (Array.isArray(one)) {
      writer.head(KIND.list, one.length);
      for (const item of one as readonly PortValue[]) write(item);
    } else {
      const entries = Object.entries(one);
      writer.head(KIND.record, entries.length);
      for (const [key, item] of entries) {
        writer.text(key);
        write(item);
      }
    }
  };
  write(value);
  return writer.written;
}

function writeBigint(writer: Writer, value: bigint): void {
  const size = value < 0n ? -value : value;
  if (size >= 1n << 128n) refuse('holds a whole number that is too large');
  const view = writer.room(18);
  view.setUint8(0, KIND.bigint);
  view.setUint8(1, value < 0n ? 1 : 0);
  view.setBigUint64(2, size & 0xffff_ffff_ffff_ffffn, true);
  view.setBigUint64(10, size >> 64n, true);
}

/** Reads one value from exactly these bytes. Throws `NotPlainData`. */
export function decodeValue(untrusted: Uint8Array): PortValue {
  const view = viewOf(untrusted);
  let at = 0;
  let parts = 0;
  const take = (length: number): number => {
    if (length > untrusted.length - at) return refuse('is cut short');
    at += length;
    return at - length;
  };
  const count = (bytesEach: number): number => {
    const stated = view.getUint32(take(4), true);
    if (stated * bytesEach > untrusted.length - at) return refuse('states more than it holds');
    return stated;
  };
  const text = (): string => {
    const length = count(2);
    const start = take(length * 2);
    let characters = '';
    for (let index = 0; index < length; index += 4096) {
      const units = Array.from({ length: Math.min(4096, length - index) }, (_, unit) =>
        view.getUint16(start + (index + unit) * 2, true),
      );
      characters += String.fromCharCode(...units);
    }
    return characters;
  };
  const record = (depth: number): PortValue => {
    const fields: { [key: string]: PortValue } = {};
    for (let left = count(6); left > 0; left--) {
      if (view.getUint8(take(1)) !== KIND.text) return refuse('names a field by something else than a text');
      const key = text();
      if (Object.hasOwn(fields, key)) return refuse('names a field twice');
      // Not by assignment: a key `__proto__` is data like any other.
      Object.defineProperty(fields, key, {
        value: read(depth),
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return fields;
  };
  const read = (depth: number): PortValue => {
    if (depth > MOST_DEPTH) return refuse('is nested too deeply');
    if (++parts > MOST_PARTS) return refuse('has too many parts');
    const kind = view.getUint8(take(1));
    switch (kind) {
      case KIND.null:
        return null;
      case KIND.false:
      case KIND.true:
        return kind === KIND.true;
      case KIND.number:
        return view.getFloat64(take(8), true);
      case KIND.bigint: {
        const sign = view.getUint8(take(1));
        const size = view.getBigUint64(take(8), true) | (view.getBigUint64(take(8), true) << 64n);
        if (sign > 1 || (sign === 1 && size === 0n)) return refuse('holds a number in a second form');
        return sign === 1 ? -size : size;
      }
      case KIND.text:
        return text();
      case KIND.bytes: {
        const length = count(1);
        const start = take(length);
        return untrusted.slice(start, start + length);
      }
      case KIND.list:
        return Array.from({ length: count(1) }, () => read(depth + 1));
      case KIND.record:
        return record(depth + 1);
      default:
        return refuse(`has a part of kind ${kind}`);
    }
  };
  const value = read(0);
  if (at !== untrusted.length) return refuse('goes on after its end');
  return value;
}
