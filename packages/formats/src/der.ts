import { millisecondsToCalendar, YEAR_2050 } from './calendar.ts';
import { compareBytes, concatBytes } from './bytes.ts';
import { FormatError } from './errors.ts';
import { utf8Encode } from './utf8.ts';

/** Identifier octets of the universal types that X.509 and its kin use (X.690 §8.1.2). */
export const DER_TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of a context-specific tag, `[n]` with n at most 30. */
export function contextTag(number: number, constructed: boolean): number {
  if (!Number.isInteger(number) || number < 0 || number > 30) {
    throw new FormatError('DerHighTag', `A context tag is 0 to 30, not ${number}.`, { rule: '0 to 30' });
  }
  return 0x80 | (constructed ? 0x20 : 0) | number;
}

/** Octets of a length after its first one (X.690 §8.1.3): none below 128. */
function longLength(length: number): number {
  if (length < 0x80) return 0;
  let octets = 0;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets += 1;
  return octets;
}

/** One element: identifier, definite length, content. */
function element(tag: number, ...content: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of content) length += part.length;
  const octets = longLength(length);
  const encoded = new Uint8Array(2 + octets + length);
  encoded[0] = tag;
  encoded[1] = octets === 0 ? length : 0x80 | octets;
  for (let at = 1 + octets, rest = length; at > 1; at -= 1, rest = Math.floor(rest / 256)) encoded[at] = rest;
  let at = 2 + octets;
  for (const part of content) {
    encoded.set(part, at);
    at += part.length;
  }
  return encoded;
}

/** Two's complement in as few octets as possible (X.690 §8.3). */
function integerContent(value: bigint): Uint8Array {
  const octets: number[] = [];
  for (let rest = value; ; rest >>= 8n) {
    const octet = Number(rest & 0xffn);
    octets.unshift(octet);
    const sign = octet >= 0x80 ? -1n : 0n;
    if (rest >> 8n === sign) return Uint8Array.from(octets);
  }
}

/** An INTEGER from a big-endian magnitude, which is never negative. */
function unsignedContent(magnitude: Uint8Array): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const trimmed = start === 0 ? magnitude : magnitude.subarray(start);
  if (trimmed.length === 0) return Uint8Array.of(0);
  return (trimmed[0] ?? 0) >= 0x80 ? concatBytes(Uint8Array.of(0), trimmed) : trimmed;
}

function oidContent(dotted: string): Uint8Array {
  if (!/^[0-2](\.(0|[1-9]\d{0,39})){1,31}$/.test(dotted)) {
    throw new FormatError('DerBadOid', `${JSON.stringify(dotted)} is not an object identifier.`);
  }
  const arcs = dotted.split('.').map(BigInt);
  const [first = 0n, second = 0n, ...rest] = arcs;
  if (first < 2n && second > 39n) {
    throw new FormatError('DerBadOid', `The second number of ${dotted} is too large.`, {
      rule: 'at most 39',
    });
  }
  const octets: number[] = [];
  for (const arc of [first * 40n + second, ...rest]) {
    const groups: number[] = [];
    for (let left = arc; ; left >>= 7n) {
      groups.unshift(Number(left & 0x7fn) | (groups.length === 0 ? 0 : 0x80));
      if (left < 128n) break;
    }
    octets.push(...groups);
  }
  return Uint8Array.from(octets);
}

/** Characters of PrintableString (X.680 §41.4). */
export const PRINTABLE_PATTERN = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

function timeText(milliseconds: number): string {
  if (
    !Number.isFinite(milliseconds) ||
    milliseconds < -62_135_596_800_000 ||
    milliseconds >= 253_402_300_800_000
  ) {
    throw new FormatError('DerBadTime', 'A time must lie in the years 1 to 9999.', { rule: '0001 to 9999' });
  }
  const { year, month, day, hour, minute, second } = millisecondsToCalendar(milliseconds);
  const pairs = [month, day, hour, minute, second].map((part) => String(part).padStart(2, '0')).join('');
  return `${String(year).padStart(4, '0')}${pairs}Z`;
}

function utcTime(milliseconds: number): Uint8Array<ArrayBuffer> {
  const text = timeText(milliseconds);
  const year = Number(text.slice(0, 4));
  if (year < 1950 || year > 2049) {
    throw new FormatError('DerBadTime', `UTCTime cannot say the year ${year}.`, { rule: '1950 to 2049' });
  }
  return element(DER_TAG.utcTime, utf8Encode(text.slice(2)));
}

function generalizedTime(milliseconds: number): Uint8Array<ArrayBuffer> {
  return element(DER_TAG.generalizedTime, utf8Encode(timeText(milliseconds)));
}

function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array<ArrayBuffer> {
  const last = bytes.at(-1) ?? 0;
  if (
    unusedBits < 0 ||
    unusedBits > 7 ||
    (last & ((1 << unusedBits) - 1)) !== 0 ||
    (bytes.length === 0 && unusedBits > 0)
  ) {
    throw new FormatError('DerBadBitString', 'The unused bits of a BIT STRING must be zero.', {
      rule: 'X.690 §11.2.1',
    });
  }
  return element(DER_TAG.bitString, Uint8Array.of(unusedBits), bytes);
}

/**
 * Writes DER (X.690 §10, §11): each function returns one whole element. Times are in milliseconds since 1970,
 * of which whole seconds are written.
 */
export const der = {
  sequence: (...parts: readonly Uint8Array[]) => element(DER_TAG.sequence, ...parts),
  /** SET OF: the parts are put into the order that DER demands. */
  set: (...parts: readonly Uint8Array[]) => element(DER_TAG.set, ...[...parts].sort(compareBytes)),
  boolean: (value: boolean) => element(DER_TAG.boolean, Uint8Array.of(value ? 0xff : 0)),
  /** From a number, or from a big-endian magnitude that is never negative. */
  integer: (value: number | bigint | Uint8Array) =>
    element(
      DER_TAG.integer,
      typeof value === 'number' || typeof value === 'bigint'
        ? integerContent(BigInt(value))
        : unsignedContent(value),
    ),
  null: () => element(DER_TAG.null),
  /** From dotted numbers: `1.2.840.10045.2.1`. */
  oid: (dotted: string) => element(DER_TAG.oid, oidContent(dotted)),
  bitString,
  /** A BIT STRING of named bits by their numbers, without trailing zero bits (X.690 §11.2.2). */
  namedBits: (...bits: readonly number[]) => {
    const highest = Math.max(-1, ...bits);
    const bytes = new Uint8Array(Math.ceil((highest + 1) / 8));
    for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
    return bitString(bytes, bytes.length * 8 - (highest + 1));
  },
  octetString: (bytes: Uint8Array) => element(DER_TAG.octetString, bytes),
  utf8String: (text: string) => element(DER_TAG.utf8String, utf8Encode(text)),
  printableString: (text: string) => {
    if (!PRINTABLE_PATTERN.test(text)) {
      throw new FormatError(
        'DerBadString',
        `${JSON.stringify(text)} has characters outside PrintableString.`,
      );
    }
    return element(DER_TAG.printableString, utf8Encode(text));
  },
  ia5String: (text: string) => {
    const bytes = utf8Encode(text);
    if (bytes.some((byte) => byte > 0x7f)) {
      throw new FormatError('DerBadString', `${JSON.stringify(text)} has characters outside ASCII.`);
    }
    return element(DER_TAG.ia5String, bytes);
  },
  utcTime,
  generalizedTime,
  /** As certificates want it: UTCTime through 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). */
  time: (milliseconds: number) =>
    milliseconds < YEAR_2050 ? utcTime(milliseconds) : generalizedTime(milliseconds),
  /** `[n] EXPLICIT`: wraps whole elements. */
  explicit: (number: number, ...parts: readonly Uint8Array[]) => element(contextTag(number, true), ...parts),
  /** `[n] IMPLICIT` of a primitive type: its content octets. */
  implicit: (number: number, content: Uint8Array) => element(contextTag(number, false), content),
  /** `[n] IMPLICIT` of a SEQUENCE or SET: its elements. */
  implicitConstructed: (number: number, ...parts: readonly Uint8Array[]) =>
    element(contextTag(number, true), ...parts),
} as const;
