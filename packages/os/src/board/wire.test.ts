import { describe, expect, it } from 'vitest';
import type { PortValue } from '@sevenfold/formats';
import { MESSAGE, type Message } from './port-link.ts';
import { streamEndpoint } from './stream-endpoint.ts';
import { decodeMessage, encodeMessage } from './wire-messages.ts';
import { decodeValue, encodeValue } from './wire.ts';

const VALUES: readonly PortValue[] = [
  null,
  true,
  false,
  0,
  -0,
  1.5,
  Number.NaN,
  -Infinity,
  2n ** 64n,
  -(2n ** 64n),
  '',
  'é\u0000\ud800 half a pair',
  new Uint8Array(0),
  Uint8Array.of(1, 2, 3),
  [],
  [1, [2, [3]]],
  {},
  JSON.parse('{"__proto__": {"polluted": 1}, "constructor": [null]}') as PortValue,
];
const MESSAGES: readonly Message[] = [
  [MESSAGE.call, 7, 'monitor', 'stageWrite', VALUES],
  [MESSAGE.notice, '$thread', 'log', ['a line']],
  [MESSAGE.answer, 0, { bytes: new Uint8Array(300) }],
  [MESSAGE.refusal, 1, 'NoRoom', 'Full.', 'size', 'less'],
  [MESSAGE.refusal, 1, 'NoRoom', 'Full.', null, null],
  12,
];

/** Code of the refusal, or `read`. */
function outcome(bytes: Uint8Array): string {
  try {
    decodeMessage(bytes);
    return 'read';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : `threw ${String(error)}`;
  }
}

describe('a link between processes', () => {
  it('carries every value and message as it is', () => {
    for (const value of VALUES) expect(decodeValue(encodeValue(value))).toEqual(value);
    for (const message of MESSAGES) expect(decodeMessage(encodeMessage(message))).toEqual(message);
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it('refuses what is cut short anywhere, and what goes on after its end', () => {
    for (const message of MESSAGES) {
      const bytes = encodeMessage(message);
      for (let length = 0; length < bytes.length; length++) {
        const code = outcome(bytes.subarray(0, length));
        expect(code === 'NotPlainData' || code.startsWith('threw RangeError'), `${length}: ${code}`).toBe(
          true,
        );
      }
      expect(outcome(new Uint8Array([...bytes, 0]))).toBe('NotPlainData');
    }
  });

  it('refuses a list of four thousand million parts before it makes any', () => {
    expect(outcome(Uint8Array.of(7, 0xff, 0xff, 0xff, 0xff, 0))).toBe('NotPlainData');
    expect(outcome(Uint8Array.of(5, 0xff, 0xff, 0xff, 0xff, 0))).toBe('NotPlainData');
    const deep = new Uint8Array(5000).map((_, index) => (index % 5 === 0 ? 7 : index % 5 === 1 ? 1 : 0));
    expect(outcome(deep)).toBe('NotPlainData');
    expect(
      outcome(new Uint8Array(200_005).fill(0).map((_, index) => [7, 0x40, 0x0d, 3, 0][index] ?? 0)),
    ).toBe('NotPlainData');
  });

  it.each([
    ['a word that is no message', ['shout', 1]],
    ['a kind that is none', [9, 1, 2]],
    ['an answer without a number', [MESSAGE.answer, 'x', null]],
    ['an answer to a number that is none', [MESSAGE.answer, 1.5, null]],
    ['a number that is none', -1],
    ['a call with a list for its target', [MESSAGE.call, 1, [], 'x', []]],
    ['a call whose arguments are a record', [MESSAGE.call, 1, 'x', 'x', {}]],
    ['a call with one part more', [MESSAGE.call, 1, 'x', 'x', [], null]],
    ['the end of a channel', [MESSAGE.endpoint, 'caller:monitor', {}]],
    ['no list at all', null],
  ] as const)('refuses %s', (_, value) => {
    expect(outcome(encodeValue(value))).toBe('NotPlainData');
  });

  it('reads messages however the stream cuts them, and hears nothing after one that is none', () => {
    const listeners: ((chunk: Uint8Array) => void)[] = [];
    const feed = (bytes: Uint8Array): void => listeners.forEach((listener) => listener(bytes));
    let broken = 0;
    const heard: unknown[] = [];
    const endpoint = streamEndpoint(
      { on: (_event, listener) => listeners.push(listener) },
      { write: () => true },
      () => broken++,
    );
    endpoint.on('message', (message) => heard.push(message));
    const frame = (bytes: Uint8Array): Uint8Array => {
      const head = new Uint8Array(4);
      new DataView(head.buffer).setUint32(0, bytes.length, true);
      return new Uint8Array([...head, ...bytes]);
    };
    const stream = new Uint8Array(MESSAGES.flatMap((message) => [...frame(encodeMessage(message))]));
    for (let at = 0; at < stream.length; at += 7) feed(stream.subarray(at, at + 7));
    feed(stream);
    expect(heard).toEqual([...MESSAGES, ...MESSAGES]);
    expect(broken).toBe(0);
    feed(Uint8Array.of(1, 0, 0, 0, 99));
    feed(stream);
    expect(broken).toBe(1);
    expect(heard).toHaveLength(MESSAGES.length * 2);
  });

  it('hears nothing from who announces more than a message may have', () => {
    let broken = 0;
    const listeners: ((chunk: Uint8Array) => void)[] = [];
    streamEndpoint(
      { on: (_event, listener) => listeners.push(listener) },
      { write: () => true },
      () => broken++,
    );
    listeners[0]?.(Uint8Array.of(0xff, 0xff, 0xff, 0x7f));
    expect(broken).toBe(1);
  });
});
