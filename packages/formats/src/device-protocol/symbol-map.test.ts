import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborValue, decodeCbor, encodeCbor } from '../cbor.ts';
import { codeOf, strictnessSuite } from '../testing/strictness.ts';
import {
  decodeSymbolMap,
  encodeSymbolMap,
  lookupFunction,
  lookupPlaces,
  lookupSymbol,
  type SymbolMap,
} from './symbol-map.ts';

const MAP: SymbolMap = {
  buildId: '6415a939-c098-48cf-8e5c-02b52a9f0ffb',
  functions: [
    { index: 4, name: 'main' },
    { index: 9, name: 'store_sample' },
  ],
  lines: [
    { offset: 100, file: 'main.c', line: 80, function: 'main' },
    { offset: 140, file: 'main.c', line: 88, function: 'store_sample' },
    {
      offset: 150,
      file: 'ring.h',
      line: 12,
      function: 'ring_put',
      inlinedInto: [
        { file: 'main.c', line: 70, function: 'store_sample' },
        { file: 'main.c', line: 90, function: 'main' },
      ],
    },
    { offset: 160, file: '', line: 0, function: '' },
    { offset: 300, file: 'main.c', line: 90, function: 'store_sample' },
  ],
};
const CORE_MAP: SymbolMap = {
  functions: [{ index: 0x0010_0200, name: 'start' }],
  lines: [],
  unwind: [
    { offset: 0x0010_0200, frame: { register: 13, bytes: 0 }, saved: new Map() },
    {
      offset: 0x0010_0202,
      frame: { register: 7, bytes: 24 },
      saved: new Map([
        [7, 8],
        [14, 4],
      ]),
    },
    { offset: 0x0010_0240, frame: null, saved: new Map() },
  ],
};
const changed = (key: number, value: CborValue): Uint8Array =>
  encodeCbor(new Map(decodeCbor(encodeSymbolMap(MAP)) as ReadonlyMap<number, CborValue>).set(key, value));
const words = (...values: readonly number[]): Uint8Array => new Uint8Array(new Uint32Array(values).buffer);

describe('symbol map', () => {
  it('keeps the rules by which a stack is unwound', () => {
    expect(decodeSymbolMap(encodeSymbolMap(CORE_MAP))).toEqual(CORE_MAP);
    const row = (step: number, frame: number): readonly number[] => [step, frame, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (const [unwind, code] of [
      [words(...row(4, 13), ...row(0, 13)), 'NotSorted'],
      [words(...row(0xffff_ffff, 13), ...row(1, 13)), 'NotSorted'],
      [words(...row(4, 16)), 'ValueOutOfRange'],
      [words(1, 2, 3), 'WrongLength'],
    ] as const)
      expect(codeOf(() => decodeSymbolMap(changed(6, unwind)))).toBe(code);
  });

  it('finds the line that code comes from, and nothing where none is known', () => {
    const map = decodeSymbolMap(encodeSymbolMap(MAP));
    expect(map).toEqual(MAP);
    expect(lookupSymbol(map, 99)).toBeNull();
    expect(lookupSymbol(map, 100)).toEqual({ function: 'main', file: 'main.c', line: 80 });
    expect(lookupSymbol(map, 139)).toMatchObject({ line: 80 });
    expect(lookupSymbol(map, 155)).toEqual({ function: 'ring_put', file: 'ring.h', line: 12 });
    expect(lookupPlaces(map, 155).map(({ function: name, line }) => [name, line])).toEqual([
      ['ring_put', 12],
      ['store_sample', 70],
      ['main', 90],
    ]);
    expect(lookupPlaces(map, 160)).toEqual([]);
    expect(lookupSymbol(map, 160)).toBeNull();
    expect(lookupSymbol(map, 4_000_000_000)).toMatchObject({ line: 90 });
    expect(lookupFunction(map, 9)).toBe('store_sample');
    expect(lookupFunction(map, 5)).toBeNull();
    expect(lookupSymbol({ functions: [], lines: [] }, 0)).toBeNull();
  });

  it('agrees with a plain search on any map', () => {
    const line = fc.record({
      offset: fc.nat(2000),
      file: fc.constantFrom('a.c', 'b.c'),
      line: fc.nat(50),
      function: fc.constantFrom('f', 'g'),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(line, { selector: (each) => each.offset, maxLength: 40 }),
        fc.nat(2100),
        (rows, offset) => {
          const lines = rows.toSorted((a, b) => a.offset - b.offset);
          const found = lines.findLast((each) => each.offset <= offset);
          const expected =
            found === undefined || found.line === 0
              ? null
              : { function: found.function, file: found.file, line: found.line };
          expect(lookupSymbol(decodeSymbolMap(encodeSymbolMap({ functions: [], lines })), offset)).toEqual(
            expected,
          );
        },
      ),
      { seed: 16, numRuns: 200 },
    );
  });

  it('holds a large program', () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => ({
      offset: index * 3,
      file: `f${index % 50}.c`,
      line: 1 + (index % 900),
      function: `fn${index % 800}`,
    }));
    const encoded = encodeSymbolMap({ functions: [], lines });
    expect(encoded.length).toBeLessThan(2_000_000);
    expect(lookupSymbol(decodeSymbolMap(encoded), 30_001)).toEqual({
      function: 'fn400',
      file: 'f0.c',
      line: 101,
    });
  });

  it.each<[string, Uint8Array, string]>([
    ['lines of three words', changed(4, words(1, 0, 1)), 'WrongLength'],
    ['a text that is not there', changed(3, words(1, 99)), 'ValueOutOfRange'],
    ['an inlined text that is not there', changed(5, words(2, 99, 1, 0)), 'ValueOutOfRange'],
    ['inlined places of no line', changed(5, words(5, 0, 1, 0)), 'NotSorted'],
    ['inlined places out of order', changed(5, words(2, 0, 1, 0, 1, 0, 1, 0)), 'NotSorted'],
    ['two lines of one offset', changed(4, words(1, 0, 1, 0, 0, 0, 2, 0)), 'NotSorted'],
    ['offsets beyond 2^32', changed(4, words(0xffffffff, 0, 1, 0, 0xffffffff, 0, 2, 0)), 'NotSorted'],
    ['functions out of order', changed(3, words(5, 0, 4, 0)), 'NotSorted'],
    ['more than 8 MiB', new Uint8Array(8 * 1024 * 1024 + 1), 'CborTooLarge'],
    ['an unknown field', changed(9, 0), 'UnknownField'],
  ])('refuses %s', (_what, bytes, code) => {
    expect(codeOf(() => decodeSymbolMap(bytes))).toBe(code);
  });

  it('refuses to write what is not sorted', () => {
    expect(codeOf(() => encodeSymbolMap({ ...MAP, lines: MAP.lines.toReversed() }))).toBe('NotSorted');
    expect(codeOf(() => encodeSymbolMap({ ...MAP, functions: [...MAP.functions, ...MAP.functions] }))).toBe(
      'NotSorted',
    );
  });

  strictnessSuite({
    name: 'symbol map',
    samples: [encodeSymbolMap(CORE_MAP), encodeSymbolMap(MAP)],
    // Texts may be numbered in another order by another writer; then meaning and length are the same.
    decode: (bytes) => ({ map: decodeSymbolMap(bytes), bytes }),
    encode: ({ map, bytes }) => {
      expect(decodeSymbolMap(encodeSymbolMap(map))).toEqual(map);
      return bytes;
    },
  });
});
