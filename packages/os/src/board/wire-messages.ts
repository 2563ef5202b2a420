import type { PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';
import { MESSAGE, type Message } from './port-link.ts';
import { decodeValue, encodeValue } from './wire.ts';

/** A message of a link between processes as bytes. Ends of channels cannot go to another process. */
export function encodeMessage(message: Message): Uint8Array {
  if (typeof message !== 'number' && message[0] === MESSAGE.endpoint)
    throw new BoardError('NotPlainData', 'The end of a channel cannot go to another process.');
  return encodeValue(message);
}

/** Reads what `encodeMessage` writes, from an end that may be hostile. Throws `NotPlainData`. */
export function decodeMessage(untrusted: Uint8Array): Message {
  const value = decodeValue(untrusted);
  if (isId(value)) return value;
  if (!isList(value)) return refuse();
  const [kind, first, second, third, fourth, fifth] = value;
  switch (value.length) {
    case 5:
      if (kind === MESSAGE.call && isId(first) && isText(second) && isText(third) && isList(fourth))
        return [kind, first, second, third, fourth];
      break;
    case 4:
      if (kind === MESSAGE.notice && isText(first) && isText(second) && isList(third))
        return [kind, first, second, third];
      break;
    case 3:
      if (kind === MESSAGE.answer && isId(first) && second !== undefined) return [kind, first, second];
      break;
    case 6:
      if (kind === MESSAGE.refusal && isId(first) && isText(second) && isText(third))
        if (isTextOrNull(fourth) && isTextOrNull(fifth)) return [kind, first, second, third, fourth, fifth];
      break;
    default:
  }
  return refuse();
}

function refuse(): never {
  throw new BoardError('NotPlainData', 'What came over the link is no message.');
}

function isId(value: PortValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: PortValue | undefined): value is string {
  return typeof value === 'string';
}

function isTextOrNull(value: PortValue | undefined): value is string | null {
  return value === null || typeof value === 'string';
}

function isList(value: PortValue | undefined): value is readonly PortValue[] {
  return Array.isArray(value);
}
