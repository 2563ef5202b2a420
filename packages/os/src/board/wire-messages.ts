import type { PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';
import type { Message } from './port-link.ts';
import { decodeValue, encodeValue } from './wire.ts';

/** A message of a link between processes as bytes. Ends of channels cannot go to another process. */
export function encodeMessage(message: Message): Uint8Array {
  switch (message.kind) {
    case 'call':
      return encodeValue(['call', message.id, message.target, message.method, message.args]);
    case 'notice':
      return encodeValue(['notice', message.target, message.method, message.args]);
    case 'answer':
      return encodeValue(['answer', message.id, message.value]);
    case 'refusal': {
      const { code, message: text, field = null, rule = null } = message.problem;
      return encodeValue(['refusal', message.id, code, text, field, rule]);
    }
    case 'endpoint':
      throw new BoardError('NotPlainData', 'The end of a channel cannot go to another process.');
    default:
      return message satisfies never;
  }
}

/** Reads what `encodeMessage` writes, from an end that may be hostile. Throws `NotPlainData`. */
export function decodeMessage(untrusted: Uint8Array): Message {
  const value = decodeValue(untrusted);
  if (!Array.isArray(value)) return refuse();
  const [kind, ...fields] = value as readonly PortValue[];
  const [first, second, third, fourth, fifth] = fields;
  if (!isText(kind)) return refuse();
  switch (kind) {
    case 'call':
      if (fields.length !== 4 || !isId(first) || !isText(second) || !isText(third) || !isList(fourth)) break;
      return { kind, id: first, target: second, method: third, args: fourth };
    case 'notice':
      if (fields.length !== 3 || !isText(first) || !isText(second) || !isList(third)) break;
      return { kind, target: first, method: second, args: third };
    case 'answer':
      if (fields.length !== 2 || !isId(first) || second === undefined) break;
      return { kind, id: first, value: second };
    case 'refusal':
      if (fields.length !== 5 || !isId(first) || !isText(second) || !isText(third)) break;
      if (!isTextOrNull(fourth) || !isTextOrNull(fifth)) break;
      return {
        kind,
        id: first,
        problem: {
          code: second,
          message: third,
          ...(fourth === null ? {} : { field: fourth }),
          ...(fifth === null ? {} : { rule: fifth }),
        },
      };
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
