import { calendarToMilliseconds, YEAR_2050 } from './calendar.ts';
import { compareBytes, plainBytes } from './bytes.ts';
import { contextTag, DER_TAG, PRINTABLE_PATTERN } from './der.ts';
import { FormatError } from './errors.ts';
import { utf8Decode } from './utf8.ts';

/** Bounds of a reader. */
export interface DerLimits {
  /** Length of the whole input: 64 KiB unless told. */
  readonly maxBytes?: number;
  /** Nesting of constructed elements: 16 unless told. */
  readonly maxDepth?: number;
}

/** One element as it stands in the input. */
export interface DerElement {
  /** The identifier octet. */
  readonly tag: number;
  readonly content: Uint8Array;
  /** Identifier, length and content. */
  readonly raw: Uint8Array;
}

const MAX_OID_LENGTH = 64;
const tagText = (tag: number): string => `0x${tag.toString(16).padStart(2, '0')}`;

/** Text of a UTCTime or GeneralizedTime as milliseconds since 1970; only the forms of RFC 5280 §4.1.2.5. */
function parseTime(content: Uint8Array, generalized: boolean): number {
  const text = String.fromCharCode(...content.subarray(0, 16));
  const pattern = generalized ? /^\d{14}Z$/ : /^\d{12}Z$/;
  const refuse = (): never => {
    throw new FormatError('DerBadTime', `${JSON.stringify(text)} is not a time in UTC to the second.`, {
      rule: generalized ? 'YYYYMMDDHHMMSSZ' : 'YYMMDDHHMMSSZ',
    });
  };
  if (content.length !== (generalized ? 15 : 13) || !pattern.test(text)) return refuse();
  const century = Number(text.slice(0, 2)) >= 50 ? '19' : '20';
  const [, year = '', rest = ''] = /^(\d{4})(\d{10})Z$/.exec(generalized ? text : century + text) ?? [];
  const [month = '', day = '', hour = '', minute = '', second = ''] = rest.match(/../g) ?? [];
  // Hour 24 and the 31st of a short month match the pattern, but there is no such time.
  const time = calendarToMilliseconds({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  });
  return time ?? refuse();
}

/**
 * Reads DER strictly (X.690 §10, §11): definite, shortest lengths, low tags, canonical values, no bytes left over.
 * Every departure has its own code. Nothing is copied: results are views into the input.
 *
 * A reader stands before the next element of one level; `sequence`, `set` and `explicit` hand a reader of the level
 * inside to a function and see to it that all of that level was read.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #depthLeft: number;
  #at = 0;

  private constructor(bytes: Uint8Array, depthLeft: number) {
    this.#bytes = bytes;
    this.#depthLeft = depthLeft;
  }

  /** Reads exactly one top-level element with `read`; refuses trailing bytes and input over the limits. */
  static read<T>(untrusted: Uint8Array, read: (reader: DerReader) => T, limits: DerLimits = {}): T {
    const { maxBytes = 64 * 1024, maxDepth = 16 } = limits;
    if (untrusted.length > maxBytes) {
      throw new FormatError('DerTooLarge', `The DER data has ${untrusted.length} bytes.`, {
        rule: `at most ${maxBytes} bytes`,
      });
    }
    const reader = new DerReader(plainBytes(untrusted), maxDepth);
    const result = read(reader);
    reader.end();
    return result;
  }

  /** True when this level has no further element. */
  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Identifier octet of the next element, or `null` at the end of this level. */
  peekTag(): number | null {
    return this.#bytes[this.#at] ?? null;
  }

  /** Refuses further elements. */
  end(): void {
    if (!this.done) {
      throw new FormatError('DerTrailingBytes', 'More follows where the DER structure should end.', {
        rule: 'no further element',
      });
    }
  }

  /** The next element, whatever it is. */
  any(): DerElement {
    const start = this.#at;
    const tag = this.#octet();
    if ((tag & 0x1f) === 0x1f) {
      throw new FormatError(
        'DerHighTag',
        `Tags of more than one octet have no place here (${tagText(tag)}).`,
      );
    }
    const length = this.#length();
    if (length > this.#bytes.length - this.#at) {
      throw new FormatError(
        'DerTruncated',
        `An element of ${length} bytes reaches past the end of its level.`,
      );
    }
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return { tag, content, raw: this.#bytes.subarray(start, this.#at) };
  }

  /** Identifier, length and content of the next element, unread. */
  raw(): Uint8Array {
    return this.any().raw;
  }

  /** Content of the next element, which must have this identifier octet. */
  content(tag: number): Uint8Array {
    const next = this.peekTag();
    if (next !== null && next !== tag) {
      throw new FormatError('DerUnexpectedTag', `Expected tag ${tagText(tag)}, found ${tagText(next)}.`, {
        rule: tagText(tag),
      });
    }
    return this.any().content;
  }

  sequence<T>(read: (inner: DerReader) => T): T {
    return this.#inside(this.content(DER_TAG.sequence), read);
  }

  /** SET OF: its elements must stand in ascending order (X.690 §11.6). */
  set<T>(read: (inner: DerReader) => T): T {
    const content = this.content(DER_TAG.set);
    const scan = new DerReader(content, this.#depthLeft);
    for (let previous: Uint8Array | null = null; !scan.done;) {
      const raw = scan.raw();
      if (previous !== null && compareBytes(previous, raw) > 0) {
        throw new FormatError('DerNotSorted', 'The elements of a SET OF are not in order.', {
          rule: 'X.690 §11.6',
        });
      }
      previous = raw;
    }
    return this.#inside(content, read);
  }

  /** `[n]` around whole elements: EXPLICIT, or IMPLICIT of a SEQUENCE. */
  explicit<T>(number: number, read: (inner: DerReader) => T): T {
    return this.#inside(this.content(contextTag(number, true)), read);
  }

  /** As `explicit`, or `null` if the next element is another one. */
  optionalExplicit<T>(number: number, read: (inner: DerReader) => T): T | null {
    return this.peekTag() === contextTag(number, true) ? this.explicit(number, read) : null;
  }

  /** Content octets of `[n] IMPLICIT` of a primitive type. */
  implicit(number: number): Uint8Array {
    return this.content(contextTag(number, false));
  }

  /** As `implicit`, or `null` if the next element is another one. */
  optionalImplicit(number: number): Uint8Array | null {
    return this.peekTag() === contextTag(number, false) ? this.implicit(number) : null;
  }

  /** What `read` gives if the next element has this identifier octet, else `null`. */
  optional<T>(tag: number, read: (reader: DerReader) => T): T | null {
    return this.peekTag() === tag ? read(this) : null;
  }

  boolean(): boolean {
    const content = this.content(DER_TAG.boolean);
    const value = content[0] ?? 0;
    if (content.length !== 1 || (value !== 0 && value !== 0xff)) {
      throw new FormatError('DerBadBoolean', 'A BOOLEAN is one octet, 00 or FF.', { rule: 'X.690 §11.1' });
    }
    return value === 0xff;
  }

  /** Two's complement content of an INTEGER, shortest form assured. */
  integerContent(): Uint8Array {
    const content = this.content(DER_TAG.integer);
    const [first = 0, second = 0] = content;
    const padded =
      content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (content.length === 0 || padded) {
      throw new FormatError('DerBadInteger', 'An INTEGER must have its shortest form.', {
        rule: 'X.690 §8.3.2',
      });
    }
    return content;
  }

  integer(): bigint {
    const content = this.integerContent();
    let value = (content[0] ?? 0) >= 0x80 ? -1n : 0n;
    for (const octet of content) value = (value << 8n) | BigInt(octet);
    return value;
  }

  /** An INTEGER of 0 to `max` (2^53 - 1 unless told) as a number. */
  smallInteger(max: number = Number.MAX_SAFE_INTEGER): number {
    const content = this.integerContent();
    const tooLong = content.length > 8;
    const view = tooLong ? -1n : content.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
    if (tooLong || (content[0] ?? 0) >= 0x80 || view > BigInt(max)) {
      throw new FormatError('DerBadInteger', `An INTEGER is not between 0 and ${max}.`, {
        rule: `0 to ${max}`,
      });
    }
    return Number(view);
  }

  /** Big-endian magnitude of an INTEGER that is not negative, without a leading zero octet. */
  unsignedInteger(): Uint8Array {
    const content = this.integerContent();
    if ((content[0] ?? 0) >= 0x80) {
      throw new FormatError('DerBadInteger', 'An INTEGER is negative that may not be.', {
        rule: 'at least 0',
      });
    }
    return content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
  }

  null(): void {
    if (this.content(DER_TAG.null).length > 0) {
      throw new FormatError('DerBadNull', 'A NULL has no content.', { rule: 'X.690 §8.8' });
    }
  }

  /** An OBJECT IDENTIFIER in dotted form. */
  oid(): string {
    const content = this.content(DER_TAG.oid);
    const refuse = (why: string): never => {
      throw new FormatError('DerBadOid', `An object identifier ${why}.`, { rule: 'X.690 §8.19' });
    };
    if (content.length === 0 || content.length > MAX_OID_LENGTH) return refuse('has 1 to 64 octets');
    const arcs: bigint[] = [];
    let arc = 0n;
    let inside = false;
    for (const octet of content) {
      if (!inside && octet === 0x80) return refuse('has a number that is not in its shortest form');
      arc = (arc << 7n) | BigInt(octet & 0x7f);
      inside = octet >= 0x80;
      if (!inside) {
        arcs.push(arc);
        arc = 0n;
      }
    }
    if (inside) return refuse('ends inside a number');
    const [head = 0n, ...rest] = arcs;
    const first = head < 80n ? head / 40n : 2n;
    return [first, head - first * 40n, ...rest].join('.');
  }

  /** Bytes of a BIT STRING without unused bits: keys and signatures. */
  bitString(): Uint8Array {
    const { bytes, unusedBits } = this.bits();
    if (unusedBits !== 0) {
      throw new FormatError('DerBadBitString', 'This BIT STRING must be made of whole octets.', {
        rule: '0 unused bits',
      });
    }
    return bytes;
  }

  /** Any BIT STRING; its unused bits are zero (X.690 §11.2.1). */
  bits(): { readonly bytes: Uint8Array; readonly unusedBits: number } {
    const content = this.content(DER_TAG.bitString);
    const unusedBits = content[0] ?? 8;
    const bytes = content.subarray(1);
    const last = bytes.at(-1);
    if (unusedBits > 7 || (last === undefined ? unusedBits > 0 : (last & ((1 << unusedBits) - 1)) !== 0)) {
      throw new FormatError('DerBadBitString', 'The unused bits of a BIT STRING are wrong.', {
        rule: 'X.690 §11.2.1',
      });
    }
    return { bytes, unusedBits };
  }

  /** Numbers of the bits that are set in a named-bit list such as KeyUsage; no trailing zero bits (X.690 §11.2.2). */
  namedBits(): readonly number[] {
    const { bytes, unusedBits } = this.bits();
    const last = bytes.at(-1);
    if (bytes.length > 8 || (last !== undefined && (last & (1 << unusedBits)) === 0)) {
      throw new FormatError('DerBadBitString', 'A list of named bits ends with a zero bit.', {
        rule: 'X.690 §11.2.2',
      });
    }
    const numbers: number[] = [];
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      if (((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0) numbers.push(bit);
    }
    return numbers;
  }

  octetString(): Uint8Array {
    return this.content(DER_TAG.octetString);
  }

  utf8String(): string {
    return this.#text(DER_TAG.utf8String, /^/);
  }

  printableString(): string {
    return this.#text(DER_TAG.printableString, PRINTABLE_PATTERN);
  }

  ia5String(): string {
    return this.#text(DER_TAG.ia5String, /^[\p{ASCII}]*$/u);
  }

  utcTime(): number {
    return parseTime(this.content(DER_TAG.utcTime), false);
  }

  generalizedTime(): number {
    return parseTime(this.content(DER_TAG.generalizedTime), true);
  }

  /** UTCTime through 2049 or GeneralizedTime after, in milliseconds since 1970 (RFC 5280 §4.1.2.5). */
  time(): number {
    if (this.peekTag() === DER_TAG.utcTime) return this.utcTime();
    const time = this.generalizedTime();
    if (time < YEAR_2050) {
      throw new FormatError('DerBadTime', 'A time before 2050 must be a UTCTime.', {
        rule: 'RFC 5280 §4.1.2.5',
      });
    }
    return time;
  }

  #text(tag: number, pattern: RegExp): string {
    const content = this.content(tag);
    try {
      const text = utf8Decode(content);
      if (pattern.test(text)) return text;
    } catch (cause) {
      throw new FormatError('DerBadString', 'A string is not UTF-8.', { cause });
    }
    throw new FormatError('DerBadString', 'A string has characters that its type does not know.');
  }

  #inside<T>(content: Uint8Array, read: (inner: DerReader) => T): T {
    if (this.#depthLeft <= 0) throw new FormatError('DerTooDeep', 'The DER data nests too deep.');
    const inner = new DerReader(content, this.#depthLeft - 1);
    const result = read(inner);
    inner.end();
    return result;
  }

  #octet(): number {
    const octet = this.#bytes[this.#at];
    if (octet === undefined) {
      throw new FormatError('DerTruncated', 'The DER data ends where an element should be.');
    }
    this.#at += 1;
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    if (first === 0x80) {
      throw new FormatError('DerIndefiniteLength', 'DER has no indefinite lengths.', { rule: 'X.690 §10.1' });
    }
    const count = first & 0x7f;
    if (count > 4) throw new FormatError('DerTooLarge', `A length of ${count} octets has no place here.`);
    let length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + this.#octet();
    if (length < 0x80 || length < 256 ** (count - 1)) {
      throw new FormatError('DerNonMinimalLength', 'A length is not in its shortest form.', {
        rule: 'X.690 §10.1',
      });
    }
    return length;
  }
}
