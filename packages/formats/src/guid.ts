import { fromHex, toHex } from './bytes.ts';
import { FormatError } from './errors.ts';

declare const guidBrand: unique symbol;
/** A GUID in its canonical spelling: lower case, 8-4-4-4-12. Made by this file only. */
export type Guid = string & { readonly [guidBrand]: 'Guid' };

const GUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Canonical spelling of a GUID of either case; no braces. Throws `BadGuid`. */
export function parseGuid(untrusted: string, field?: string): Guid {
  const lower = untrusted.length === 36 ? untrusted.toLowerCase() : '';
  if (!GUID_PATTERN.test(lower)) {
    throw new FormatError('BadGuid', 'This is not a GUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx.', {
      field,
      rule: '8-4-4-4-12 hexadecimal digits',
    });
  }
  return lower as Guid;
}

/** Says whether a text is a GUID in canonical spelling. */
export function isGuid(value: string): value is Guid {
  return GUID_PATTERN.test(value);
}

/** The first three groups are little-endian numbers, the rest is a string of bytes. Its own inverse. */
function swapGroups(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return Uint8Array.from(order, (index) => bytes[index] ?? 0);
}

/** The 16 bytes of a GUID in the little-endian layout of image metadata (azure-sphere.md §2.4). Throws `BadGuid`. */
export function guidToBytes(guid: string): Uint8Array<ArrayBuffer> {
  return swapGroups(fromHex(parseGuid(guid).replaceAll('-', '')));
}

/** A GUID from its 16 bytes in little-endian layout. Throws `BadGuid` for another length. */
export function guidFromBytes(bytes: Uint8Array): Guid {
  if (bytes.length !== 16) {
    throw new FormatError('BadGuid', `A GUID has 16 bytes, these are ${bytes.length}.`, { rule: '16 bytes' });
  }
  const hex = toHex(swapGroups(bytes));
  return parseGuid(
    [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-'),
  );
}

/** A version 4 GUID (RFC 9562 §5.4) from 16 random bytes. */
export function guidFromRandom(random: Uint8Array): Guid {
  const bytes = Uint8Array.from(random);
  bytes[7] = ((bytes[7] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return guidFromBytes(bytes);
}
