import { compareBytes, isBytes, plainBytes, viewOf } from './bytes.ts';
import { FormatError } from './errors.ts';
import { utf8Decode, utf8Encode } from './utf8.ts';

/**
 * What our documents are made of (RFC 8949): no floats, no tags, no `undefined`. Integers outside the safe
 * range are `bigint`, up to 64 bits. Map keys are integers or texts.
 */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | CborMap;
export type CborMap = ReadonlyMap<number | string, CborValue>;

/** Bounds of a decoder; both have defaults that fit every message of the device protocol. */
export interface CborLimits {
  /** Length of the whole encoding in bytes: 1 MiB unless told. */
  readonly maxBytes?: number;
  /** Nesting of arrays and maps: 16 unless told. */
  readonly maxDepth?: number;
  /**
   * Accept map keys in any order: for documents of other makers only, which then need not encode again to the
   * same bytes. All other rules hold.
   */
  readonly anyKeyOrder?: boolean;
  /** Byte strings as views of the input, not as copies: only where nobody writes to the input any more. */
  readonly views?: boolean;
}
const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_MAX_DEPTH = 16;
const ENCODE_MAX_DEPTH = 64;

const MAX_UINT64 = 0xffffffffffffffffn;

/** Major types of RFC 8949 §3.1. */
const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const SIMPLE = { false: 0xf4, true: 0xf5, null: 0xf6 } as const;

function encodeHead(major: number, argument: number | bigint): Uint8Array {
  const high = major << 5;
  if (argument < 24) return Uint8Array.of(high | Number(argument));
  if (argument < 0x100) return Uint8Array.of(high | 24, Number(argument));
  if (argument < 0x10000) return Uint8Array.of(high | 25, Number(argument) >> 8, Number(argument) & 0xff);
  const wide = argument >= 0x100000000;
  const head = new Uint8Array(wide ? 9 : 5);
  head[0] = high | (wide ? 27 : 26);
  if (wide) viewOf(head).setBigUint64(1, BigInt(argument));
  else viewOf(head).setUint32(1, Number(argument));
  return head;
}

function unsupported(what: string): FormatError {
  return new FormatError('CborUnsupported', `${what} cannot be part of a CBOR document of this system.`);
}

function pushInteger(value: number | bigint, parts: Uint8Array[]): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw unsupported(`The number ${value}`);
  const magnitude = value < 0 ? -1n - BigInt(value) : value;
  if (magnitude > MAX_UINT64) throw unsupported('An integer of more than 64 bits');
  parts.push(encodeHead(value < 0 ? MAJOR.negative : MAJOR.unsigned, magnitude));
}

function pushText(value: string, parts: Uint8Array[]): void {
  const text = utf8Encode(value);
  parts.push(encodeHead(MAJOR.text, text.length), text);
}

function pushMap(value: CborMap, parts: Uint8Array[], depth: number): void {
  const entries = [...value].map(([key, item]) => ({ key: encodeCbor(key), item }));
  entries.sort((a, b) => compareBytes(a.key, b.key));
  parts.push(encodeHead(MAJOR.map, entries.length));
  for (const { key, item } of entries) {
    parts.push(key);
    pushValue(item, parts, depth + 1);
  }
}

function pushValue(value: CborValue, parts: Uint8Array[], depth: number): void {
  if (depth > ENCODE_MAX_DEPTH) throw unsupported(`Nesting deeper than ${ENCODE_MAX_DEPTH}`);
  if (value === null) parts.push(Uint8Array.of(SIMPLE.null));
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? SIMPLE.true : SIMPLE.false));
  else if (typeof value === 'number' || typeof value === 'bigint') pushInteger(value, parts);
  else if (typeof value === 'string') pushText(value, parts);
  else if (isBytes(value)) parts.push(encodeHead(MAJOR.bytes, value.length), value);
  else if (Array.isArray(value)) {
    parts.push(encodeHead(MAJOR.array, value.length));
    for (const item of value as readonly CborValue[]) pushValue(item, parts, depth + 1);
  } else if (Object.prototype.toString.call(value) === '[object Map]')
    pushMap(value as CborMap, parts, depth);
  else throw unsupported(`A value of type ${typeof value}`);
}

/**
 * Core deterministic encoding (RFC 8949 §4.2.1): shortest heads, definite lengths, keys in bytewise order
 * of their encodings. Throws `CborUnsupported` for what has no place in our documents.
 */
export function encodeCbor(value: CborValue): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  pushValue(value, parts, 0);
  let length = 0;
  for (const part of parts) length += part.length;
  const encoded = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    encoded.set(part, at);
    at += part.length;
  }
  return encoded;
}

class CborDecoder {
  /** Engines forget the shape of a class, and the code that they compiled for it, when no object of it is left. */
  static readonly kept = new CborDecoder(new Uint8Array(0), {
    maxDepth: 0,
    anyKeyOrder: false,
    views: false,
  });
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #maxDepth: number;
  readonly #anyKeyOrder: boolean;
  readonly #views: boolean;
  #at = 0;

  constructor(bytes: Uint8Array, limits: Required<Omit<CborLimits, 'maxBytes'>>) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#maxDepth = limits.maxDepth;
    this.#anyKeyOrder = limits.anyKeyOrder;
    this.#views = limits.views;
  }

  get #left(): number {
    return this.#bytes.length - this.#at;
  }

  get finished(): boolean {
    return this.#left === 0;
  }

  #need(length: number): void {
    if (length <= this.#left) return;
    throw new FormatError(
      'CborTruncated',
      `The CBOR data ends inside an item, at byte ${this.#bytes.length}.`,
    );
  }

  #take(length: number): Uint8Array {
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #byteString(length: number): Uint8Array {
    const view = this.#take(length);
    return this.#views ? view : view.slice();
  }

  #notDeterministic(what: string, at: number): FormatError {
    return new FormatError('CborNotDeterministic', `${what} at byte ${at}.`, { rule: 'RFC 8949 §4.2.1' });
  }

  /** The argument after an initial byte, in its shortest form only. */
  #argument(additional: number, at: number): number | bigint {
    if (additional < 24) return additional;
    if (additional > 27) {
      throw additional === 31
        ? this.#notDeterministic('Indefinite length', at)
        : new FormatError('CborUnsupported', `Reserved additional information ${additional} at byte ${at}.`);
    }
    const width = 1 << (additional - 24);
    const start = this.#at;
    this.#need(width);
    this.#at += width;
    let value: number | bigint;
    let least: number;
    if (width === 1) [value, least] = [this.#view.getUint8(start), 24];
    else if (width === 2) [value, least] = [this.#view.getUint16(start), 0x100];
    else if (width === 4) [value, least] = [this.#view.getUint32(start), 0x10000];
    else [value, least] = [this.#view.getBigUint64(start), 0x100000000];
    if (value < least) throw this.#notDeterministic('A longer head than needed', at);
    return typeof value === 'bigint' && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }

  #length(argument: number | bigint, least: number): number {
    if (typeof argument === 'bigint' || argument * least > this.#left) {
      throw new FormatError(
        'CborTruncated',
        `The CBOR data promises more than its ${this.#bytes.length} bytes.`,
      );
    }
    return argument;
  }

  value(depth: number): CborValue {
    if (depth > this.#maxDepth) {
      throw new FormatError('CborTooDeep', `The CBOR data nests deeper than ${this.#maxDepth} levels.`, {
        rule: `at most ${this.#maxDepth} levels`,
      });
    }
    const at = this.#at;
    this.#need(1);
    const initial = this.#bytes[this.#at++] ?? 0;
    const major = initial >> 5;
    if (major === MAJOR.simple) return this.#simple(initial, at);
    const argument = this.#argument(initial & 31, at);
    switch (major) {
      case MAJOR.unsigned:
        return argument;
      case MAJOR.negative:
        return this.#negative(argument);
      case MAJOR.bytes:
        return this.#byteString(this.#length(argument, 1));
      case MAJOR.text:
        return utf8Decode(this.#take(this.#length(argument, 1)));
      case MAJOR.array:
        return this.#array(this.#length(argument, 1), depth);
      case MAJOR.map:
        return this.#map(this.#length(argument, 2), depth);
      default:
        throw new FormatError('CborUnsupported', `A tag (${argument}) at byte ${at} has no place here.`);
    }
  }

  #simple(initial: number, at: number): CborValue {
    if (initial === SIMPLE.null) return null;
    if (initial === SIMPLE.true) return true;
    if (initial === SIMPLE.false) return false;
    const what =
      initial >= 0xf9 && initial <= 0xfb ? 'A float' : 'A simple value other than false, true, null';
    throw new FormatError('CborUnsupported', `${what} at byte ${at} has no place here.`);
  }

  #negative(argument: number | bigint): number | bigint {
    const value = -1n - BigInt(argument);
    return value >= Number.MIN_SAFE_INTEGER ? Number(value) : value;
  }

  #array(length: number, depth: number): readonly CborValue[] {
    const items: CborValue[] = [];
    for (let index = 0; index < length; index++) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): CborMap {
    const map = new Map<number | string, CborValue>();
    let previous: Uint8Array | null = null;
    for (let index = 0; index < length; index++) {
      const start = this.#at;
      const key = this.value(depth + 1);
      if (typeof key !== 'number' && typeof key !== 'string') {
        throw new FormatError(
          'CborUnsupported',
          `A map key at byte ${start} is neither an integer nor a text.`,
        );
      }
      if (map.has(key)) {
        throw new FormatError('CborDuplicateKey', `The map key ${JSON.stringify(key)} appears twice.`);
      }
      if (!this.#anyKeyOrder) {
        const encoded = this.#bytes.subarray(start, this.#at);
        if (previous !== null && compareBytes(previous, encoded) > 0)
          throw this.#notDeterministic('Map keys out of order', start);
        previous = encoded;
      }
      map.set(key, this.value(depth + 1));
    }
    return map;
  }
}

/**
 * Decodes exactly one data item in core deterministic encoding: whatever is accepted encodes again to the same
 * bytes. Duplicate keys, longer heads than needed, unsorted keys, indefinite lengths, floats, tags and trailing
 * bytes are refused, each by its own code. Byte strings are copies unless `views` were asked for.
 */
export function decodeCbor(untrusted: Uint8Array, limits: CborLimits = {}): CborValue {
  const { maxBytes = DEFAULT_MAX_BYTES, maxDepth = DEFAULT_MAX_DEPTH } = limits;
  const { anyKeyOrder = false, views = false } = limits;
  if (untrusted.length > maxBytes) {
    throw new FormatError('CborTooLarge', `The CBOR data has ${untrusted.length} bytes.`, {
      rule: `at most ${maxBytes} bytes`,
    });
  }
  const decoder = new CborDecoder(plainBytes(untrusted), { maxDepth, anyKeyOrder, views });
  const value = decoder.value(0);
  if (!decoder.finished) {
    throw new FormatError('CborTrailingBytes', 'More bytes follow after the end of the CBOR data.');
  }
  return value;
}
