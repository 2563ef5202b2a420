import { fromHex, toHex } from '../bytes.ts';
import type { CborValue } from '../cbor.ts';
import { readBytes, readText } from '../cbor-reader.ts';
import { FormatError } from '../errors.ts';
import { type Guid, isGuid } from '../guid.ts';
import { DEVICE_LIMITS } from './endpoints.ts';

/** Length of nonces, digests and device ids in bytes. */
export const HASH_LENGTH = 32;

/** A device id: 32 bytes on the wire, 64 lower-case hexadecimal digits inside. */
export function encodeDeviceId(deviceId: string): Uint8Array {
  const bytes = fromHex(deviceId);
  if (bytes.length !== HASH_LENGTH || deviceId !== toHex(bytes)) {
    throw new FormatError('WrongLength', 'A device id has 64 lower-case hexadecimal digits.', {
      field: 'deviceId',
      rule: '64 digits of 0-9 and a-f',
    });
  }
  return bytes;
}

/** The inverse of `encodeDeviceId`. */
export function readDeviceId(value: CborValue, field: string): string {
  return toHex(readBytes(value, field, { length: HASH_LENGTH }));
}

/** A GUID on the wire: its canonical text, as it also stands in paths. */
export function readGuid(value: CborValue, field: string): Guid {
  const text = readText(value, field, 36);
  if (!isGuid(text)) {
    throw new FormatError('BadGuid', `${field} is not a GUID in lower case.`, {
      field,
      rule: '8-4-4-4-12 hexadecimal digits in lower case',
    });
  }
  return text;
}

/** A line for people: at most `DEVICE_LIMITS.maxLine` bytes of UTF-8. */
export function readLine(value: CborValue, field: string): string {
  return readText(value, field, DEVICE_LIMITS.maxLine);
}

/** One certificate in DER; only its size is judged here. */
export function readCertificate(value: CborValue, field: string): Uint8Array {
  return readBytes(value, field, { min: 1, max: DEVICE_LIMITS.maxCertificate });
}

/** One of a closed list of texts. */
export function readChoice<const T extends string>(
  value: CborValue,
  field: string,
  choices: readonly T[],
): T {
  const text = readText(value, field, 64);
  const found = choices.find((choice) => choice === text);
  if (found === undefined) {
    const rule = `one of ${choices.join(', ')}`;
    throw new FormatError('ValueOutOfRange', `${field} is ${JSON.stringify(text)}, it must be ${rule}.`, {
      field,
      rule,
    });
  }
  return found;
}
