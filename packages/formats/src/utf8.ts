import { FormatError } from './errors.ts';

/** So many characters are made in one call at most. */
const MOST_AT_ONCE = 4096;

/** UTF-8 of a text (RFC 3629). Throws `BadText` for a text with a lone surrogate, which has none. */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  if (!text.isWellFormed()) {
    throw new FormatError(
      'BadText',
      'The text holds half of a surrogate pair and cannot be written as UTF-8.',
    );
  }
  const bytes = new Uint8Array(utf8Length(text));
  let at = 0;
  for (let index = 0; index < text.length; index++) {
    const point = text.codePointAt(index) ?? 0;
    if (point < 0x80) bytes[at++] = point;
    else if (point < 0x800) {
      bytes[at++] = 0xc0 | (point >> 6);
      bytes[at++] = 0x80 | (point & 63);
    } else if (point < 0x10000) {
      bytes[at++] = 0xe0 | (point >> 12);
      bytes[at++] = 0x80 | ((point >> 6) & 63);
      bytes[at++] = 0x80 | (point & 63);
    } else {
      bytes[at++] = 0xf0 | (point >> 18);
      bytes[at++] = 0x80 | ((point >> 12) & 63);
      bytes[at++] = 0x80 | ((point >> 6) & 63);
      bytes[at++] = 0x80 | (point & 63);
      index++;
    }
  }
  return bytes;
}

/** Number of bytes that a well-formed text takes in UTF-8. */
export function utf8Length(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if ((unit & 0xfc00) === 0xd800) {
      length += 4;
      index++;
    } else length += 3;
  }
  return length;
}

/** Length of the well-formed sequence at `at`, or 0 (RFC 3629 §4: shortest form, no surrogates, at most U+10FFFF). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  const follows = (offset: number): boolean => ((bytes[at + offset] ?? 0) & 0xc0) === 0x80;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (first === 0xe0 && second < 0xa0) return 0;
    if (first === 0xed && second > 0x9f) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (first === 0xf0 && second < 0x90) return 0;
    if (first === 0xf4 && second > 0x8f) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

function decode(bytes: Uint8Array, onBad: () => number): string {
  let text = '';
  let units: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    const first = bytes[at] ?? 0;
    let point: number;
    if (length === 0) point = onBad();
    else if (length === 1) point = first;
    else {
      point = first & (0xff >> (length + 1));
      for (let index = 1; index < length; index++) point = (point << 6) | ((bytes[at + index] ?? 0) & 63);
    }
    at += Math.max(1, length);
    if (point < 0x10000) units.push(point);
    else units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
    if (units.length >= MOST_AT_ONCE) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}

function isAscii(bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) if ((bytes[index] ?? 0) >= 0x80) return false;
  return true;
}

/** Text of well-formed UTF-8; anything else is refused with `BadText`. A byte order mark is kept as a character. */
export function utf8Decode(untrusted: Uint8Array): string {
  if (untrusted.length <= MOST_AT_ONCE && isAscii(untrusted))
    return Reflect.apply(String.fromCharCode, null, untrusted);
  return decode(untrusted, () => {
    throw new FormatError('BadText', 'These bytes are not UTF-8 (RFC 3629).');
  });
}

/** As `utf8Decode`, but each byte that fits nowhere becomes U+FFFD: for logs of apps, never for signed data. */
export function utf8DecodeLossy(untrusted: Uint8Array): string {
  return decode(untrusted, () => 0xfffd);
}
