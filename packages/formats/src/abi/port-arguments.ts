import { isBytes } from '../bytes.ts';
import { SevenfoldError } from '../errors.ts';
import { isGuid } from '../guid.ts';
import type { PortValue } from './port.ts';

/** How a call itself can be wrong, whatever it asks for. */
export type PortErrorCode = 'UnknownCall' | 'BadArgument' | 'CallerNotAllowed';

/** Refusal of a call before it is looked at: unknown, from the wrong caller, or with arguments of the wrong shape. */
export class PortError extends SevenfoldError<PortErrorCode> {}

function bad(field: string, rule: string): PortError {
  return new PortError('BadArgument', `${field} must be ${rule}.`, { field, rule });
}

/** An integer within a range: 0 to 2^53 - 1 unless told. */
export function uintArgument(
  untrusted: PortValue | undefined,
  field: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: { readonly min?: number; readonly max?: number } = {},
): number {
  if (
    typeof untrusted !== 'number' ||
    !Number.isSafeInteger(untrusted) ||
    untrusted < min ||
    untrusted > max
  ) {
    throw bad(field, `an integer between ${min} and ${max}`);
  }
  return untrusted;
}

/** Bytes of exactly `length`, or of `min` (0) to `max`. */
export function bytesArgument(
  untrusted: PortValue | undefined,
  field: string,
  rule: { readonly length: number } | { readonly min?: number; readonly max: number },
): Uint8Array {
  const [least, most] = 'length' in rule ? [rule.length, rule.length] : [rule.min ?? 0, rule.max];
  if (!isBytes(untrusted) || untrusted.length < least || untrusted.length > most) {
    throw bad(field, least === most ? `${most} bytes` : `${least} to ${most} bytes`);
  }
  return untrusted;
}

/** A text of at most `max` UTF-16 units. */
export function textArgument(untrusted: PortValue | undefined, field: string, max: number): string {
  if (typeof untrusted !== 'string' || untrusted.length > max)
    throw bad(field, `a text of at most ${max} characters`);
  return untrusted;
}

/** A GUID in lower case. */
export function guidArgument(untrusted: PortValue | undefined, field: string): string {
  if (typeof untrusted !== 'string' || !isGuid(untrusted)) throw bad(field, 'a GUID in lower case');
  return untrusted;
}

export function booleanArgument(untrusted: PortValue | undefined, field: string): boolean {
  if (typeof untrusted !== 'boolean') throw bad(field, 'true or false');
  return untrusted;
}

/** At most `most` items, each read by `read` under its own path. */
export function listArgument<T>(
  untrusted: PortValue | undefined,
  field: string,
  most: number,
  read: (item: PortValue, field: string) => T,
): readonly T[] {
  if (!Array.isArray(untrusted) || untrusted.length > most)
    throw bad(field, `a list of at most ${most} items`);
  // An array of a port is an array of port values: the wiring copied it and refuses anything else.
  return (untrusted as readonly PortValue[]).map((item, index) => read(item, `${field}.${index}`));
}

/** A record with exactly these keys. */
export function recordArgument<Key extends string>(
  untrusted: PortValue | undefined,
  field: string,
  keys: readonly Key[],
): Readonly<Record<Key, PortValue>> {
  const isRecord =
    typeof untrusted === 'object' && untrusted !== null && !Array.isArray(untrusted) && !isBytes(untrusted);
  const isExact =
    isRecord &&
    Object.keys(untrusted).length === keys.length &&
    keys.every((key) => Object.hasOwn(untrusted, key));
  if (!isExact) throw bad(field, `a record of ${keys.join(', ')}`);
  return untrusted as Readonly<Record<Key, PortValue>>;
}

/** One of a closed set of texts. */
export function choiceArgument<Choice extends string>(
  untrusted: PortValue | undefined,
  field: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((known) => known === untrusted);
  if (choice === undefined) throw bad(field, `one of ${choices.join(', ')}`);
  return choice;
}
