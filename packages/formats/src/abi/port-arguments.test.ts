import { describe, expect, it } from 'vitest';
import {
  booleanArgument,
  bytesArgument,
  choiceArgument,
  listArgument,
  recordArgument,
  textArgument,
  uintArgument,
} from './port-arguments.ts';
import type { PortValue } from './port.ts';
import { serveCalls } from './serve-calls.ts';

const bad = (field: string) => expect.objectContaining({ code: 'BadArgument', field });

describe('arguments of a call', () => {
  it.each<PortValue | undefined>([undefined, null, -1, 1.5, 2 ** 53, Number.NaN, '1', 1n, true, [1], {}])(
    '%s is no integer from 0 to 10',
    (value) => {
      expect(() => uintArgument(value, 'n', { max: 10 })).toThrow(bad('n'));
    },
  );

  it.each<[string, () => unknown]>([
    ['bytes', () => bytesArgument([1, 2], 'x', { max: 9 })],
    ['bytes', () => bytesArgument(new Uint8Array(3), 'x', { length: 4 })],
    ['bytes', () => bytesArgument(new Uint8Array(5), 'x', { min: 6, max: 9 })],
    ['a text', () => textArgument('abcd', 'x', 3)],
    ['a truth value', () => booleanArgument(0, 'x')],
    ['a list', () => listArgument({ length: 1 }, 'x', 3, (item) => item)],
    ['a list', () => listArgument([1, 2, 3, 4], 'x', 3, (item) => item)],
    ['a record', () => recordArgument({ a: 1 }, 'x', ['a', 'b'])],
    ['a record', () => recordArgument({ a: 1, b: 2, c: 3 }, 'x', ['a', 'b'])],
    ['a record', () => recordArgument([1, 2], 'x', ['0', '1'])],
    ['a record', () => recordArgument(new Uint8Array(1), 'x', ['0'])],
    ['a choice', () => choiceArgument('c', 'x', ['a', 'b'])],
  ])('what is not %s is refused by field and rule', (_what, read) => {
    expect(read).toThrow(bad('x'));
    expect(read).toThrow(expect.objectContaining({ rule: expect.any(String) }));
  });

  it('names the item of a list that is wrong', () => {
    expect(() => listArgument([1, 'x'], 'ids', 9, (item, field) => uintArgument(item, field))).toThrow(
      bad('ids.1'),
    );
  });

  it('that are right come through', () => {
    expect(uintArgument(10, 'n', { max: 10 })).toBe(10);
    expect(bytesArgument(new Uint8Array(2), 'b', { max: 2 })).toEqual(new Uint8Array(2));
    expect(recordArgument({ a: 1, b: null }, 'r', ['a', 'b'])).toEqual({ a: 1, b: null });
  });
});

describe('a table of calls', () => {
  const table = { add: { args: ['a', 'b'], returns: 'sum' } } as const;
  const handler = serveCalls(table, (caller) => caller === 'kernel', {
    add: ([a, b]) => uintArgument(a, 'a') + uintArgument(b, 'b'),
  });

  it('answers what it lists, to whom it should, with the right number of arguments', async () => {
    expect(await handler('kernel', 'add', [1, 2])).toBe(3);
    await expect(handler('services', 'add', [1, 2])).rejects.toMatchObject({ code: 'CallerNotAllowed' });
    await expect(handler('kernel', 'add', [1])).rejects.toMatchObject({ code: 'BadArgument', field: 'args' });
    for (const method of ['sub', '', 'constructor', '__proto__', 'toString']) {
      await expect(handler('kernel', method, [])).rejects.toMatchObject({ code: 'UnknownCall' });
    }
  });
});
