import { describe, expect, it } from 'vitest';
import { type CborValue } from './cbor.ts';
import { cborMap, CborMapReader } from './cbor-reader.ts';
import { FormatError } from './errors.ts';

const KEYS = { id: 1, name: 2, list: 'l', inner: 4 } as const;
const INNER = { flag: 1 } as const;

function read(value: CborValue): unknown {
  const reader = new CborMapReader(value, KEYS, 'order');
  const result = {
    id: reader.uint('id', { max: 100 }),
    name: reader.optional('name', () => reader.text('name', 4)),
    list: reader.array('list', 2, (item, field) => `${field}=${JSON.stringify(item)}`),
    inner: reader.nullable('inner', () => reader.map('inner', INNER).boolean('flag')),
  };
  reader.end();
  return result;
}

const good: [number | string, CborValue][] = [
  [1, 7],
  ['l', [1, 2]],
  [4, null],
];
const withEntry = (key: number | string, value: CborValue): CborValue => new Map([...good, [key, value]]);

describe('reading maps field by field', () => {
  it('gives the fields, and each item its own path', () => {
    expect(read(new Map(good))).toEqual({
      id: 7,
      name: undefined,
      list: ['order.list.0=1', 'order.list.1=2'],
      inner: null,
    });
    expect(read(withEntry(4, new Map([[1, true]])))).toMatchObject({ inner: true });
  });

  it.each<[string, CborValue, string, string]>([
    ['no map', 3, 'WrongType', 'order'],
    ['a missing field', new Map(good.slice(1)), 'MissingField', 'order.id'],
    ['an unknown key', withEntry(9, 0), 'UnknownField', 'order.9'],
    ['a text for a number', withEntry(1, 'x'), 'WrongType', 'order.id'],
    ['a negative number', withEntry(1, -1), 'ValueOutOfRange', 'order.id'],
    ['a number too large', withEntry(1, 101), 'ValueOutOfRange', 'order.id'],
    ['a number beyond 2^53', withEntry(1, 2n ** 60n), 'WrongType', 'order.id'],
    ['a text of too many bytes', withEntry(2, 'äää'), 'TooLong', 'order.name'],
    ['too many items', withEntry('l', [1, 2, 3]), 'TooMany', 'order.list'],
    ['a map for a list', withEntry('l', new Map()), 'WrongType', 'order.list'],
    ['a number for a flag', withEntry(4, new Map([[1, 1]])), 'WrongType', 'order.inner.flag'],
  ])('refuses %s and names the field', (_what, value, code, field) => {
    expect(() => read(value)).toThrow(FormatError);
    try {
      read(value);
    } catch (error) {
      expect(error).toMatchObject({ code, field });
    }
  });

  it('leaves fields out that are undefined', () => {
    expect([...cborMap({ a: 1, b: 2 }, { a: undefined, b: null })]).toEqual([[2, null]]);
  });
});
