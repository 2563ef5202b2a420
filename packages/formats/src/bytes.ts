import { FormatError } from './errors.ts';

/*
 * Everything here uses the language's own built-ins only: this code also runs inside stage bundles,
 * whose realm has neither `Buffer` nor `TextEncoder`. Byte arrays are recognised by their internal slot,
 * not by `instanceof`, since they may come from another realm.
 */

/** Says whether a value is a byte array, of whichever realm. */
export function isBytes(value: unknown): value is Uint8Array {
  if (value instanceof Uint8Array) return true;
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]';
}

/** A plain `Uint8Array` of this realm over the same memory (a `Buffer` behaves differently in `slice`). */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A `DataView` over exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Joins byte arrays into a new one. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Engines keep arrays of up to so many bytes among their objects, and move them out when somebody asks for the buffer. */
const LONGEST_WITHOUT_BUFFER = 64;

/** Compares two byte arrays; the time taken depends on their lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  let index = 0;
  // Word by word where both allow it: a stage compares whole images before anything of it has been optimised.
  if (a.length > LONGEST_WITHOUT_BUFFER && a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const words = a.length >> 2;
    const left = new Int32Array(a.buffer, a.byteOffset, words);
    const right = new Int32Array(b.buffer, b.byteOffset, words);
    for (let word = 0; word < words; word++) difference |= (left[word] ?? 0) ^ (right[word] ?? 0);
    index = words * 4;
  }
  for (; index < a.length; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}

/** Order of two byte arrays as strings of unsigned bytes: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let index = 0; index < common; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** Bytes from hexadecimal of either case, nothing else in between. Throws `BadHex`. */
export function fromHex(untrusted: string): Uint8Array<ArrayBuffer> {
  if (untrusted.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(untrusted)) {
    throw new FormatError(
      'BadHex',
      'This is not hexadecimal: it must be an even number of digits 0-9 and a-f.',
    );
  }
  return Uint8Array.fromHex(untrusted);
}

const BASE64_URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Base64url without padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length; index += 3) {
    const group = ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    const digits = Math.min(4, bytes.length - index + 1);
    for (let digit = 0; digit < digits; digit++) text += BASE64_URL[(group >> (18 - 6 * digit)) & 63] ?? '';
  }
  return text;
}

/** Bytes from unpadded base64url; unused bits must be zero, so that each value has one spelling. Throws `BadBase64`. */
export function fromBase64Url(untrusted: string): Uint8Array<ArrayBuffer> {
  const refuse = (): never => {
    throw new FormatError('BadBase64', 'This is not unpadded base64url (RFC 4648 §5).');
  };
  const rest = untrusted.length % 4;
  if (rest === 1 || !/^[A-Za-z0-9_-]*$/.test(untrusted)) return refuse();
  const bytes = new Uint8Array(Math.floor((untrusted.length * 3) / 4));
  let accumulator = 0;
  let bits = 0;
  let written = 0;
  for (const character of untrusted) {
    accumulator = ((accumulator << 6) | BASE64_URL.indexOf(character)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[written++] = (accumulator >> bits) & 0xff;
    }
  }
  if ((accumulator & ((1 << bits) - 1)) !== 0) return refuse();
  return bytes;
}

/** Four tables of 256: the CRC of a byte, and of a byte with one to three zero bytes after it. */
const CRC_TABLES = new Int32Array(1024);
for (let index = 0; index < 256; index++) {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  CRC_TABLES[index] = value;
}
for (let index = 256; index < 1024; index++) {
  const before = CRC_TABLES[index - 256] ?? 0;
  CRC_TABLES[index] = (before >>> 8) ^ (CRC_TABLES[before & 0xff] ?? 0);
}

/**
 * CRC-32 of zlib and Ethernet (reflected 0x04C11DB7), as an unsigned number; `before`: that of the bytes in front of
 * these. Four bytes a step.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  const view = viewOf(bytes);
  const whole = bytes.length & ~3;
  let crc = ~before;
  for (let index = 0; index < whole; index += 4) {
    crc ^= view.getInt32(index, true);
    crc =
      (CRC_TABLES[768 + (crc & 0xff)] ?? 0) ^
      (CRC_TABLES[512 + ((crc >>> 8) & 0xff)] ?? 0) ^
      (CRC_TABLES[256 + ((crc >>> 16) & 0xff)] ?? 0) ^
      (CRC_TABLES[crc >>> 24] ?? 0);
  }
  for (let index = whole; index < bytes.length; index++) {
    crc = (crc >>> 8) ^ (CRC_TABLES[(crc ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}
