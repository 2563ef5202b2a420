import { decode as judgeDecode, encode as judgeEncode, rfc8949EncodeOptions } from 'cborg';
import * as fc from 'fast-check';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';

/** Any value of our documents, with all head lengths. */
const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.constantFrom(null, true, false),
    fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.integer({ min: -300, max: 300 })),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc
      .array(
        fc.tuple(
          fc.oneof(fc.integer({ min: -70_000, max: 70_000 }), fc.string({ maxLength: 5 })),
          tie('value'),
        ),
        {
          maxLength: 30,
        },
      )
      .map((entries) => new Map(entries)),
  ),
}));

/** RFC 8949 Appendix A: every example that has a place in our documents. */
const EXAMPLES: readonly (readonly [string, CborValue])[] = [
  ['00', 0],
  ['01', 1],
  ['0a', 10],
  ['17', 23],
  ['1818', 24],
  ['1819', 25],
  ['1864', 100],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1bffffffffffffffff', 18446744073709551615n],
  ['3bffffffffffffffff', -18446744073709551616n],
  ['20', -1],
  ['29', -10],
  ['3863', -100],
  ['3903e7', -1000],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['40', new Uint8Array(0)],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['60', ''],
  ['6161', 'a'],
  ['6449455446', 'IETF'],
  ['62225c', '"\\'],
  ['62c3bc', 'ü'],
  ['63e6b0b4', '水'],
  ['64f0908591', '𐅑'],
  ['80', []],
  ['83010203', [1, 2, 3]],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  ['98190102030405060708090a0b0c0d0e0f101112131415161718181819', Array.from({ length: 25 }, (_, i) => i + 1)],
  ['a0', new Map()],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  [
    'a26161016162820203',
    new Map<string, CborValue>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
  ],
  ['826161a161626163', ['a', new Map([['b', 'c']])]],
];

describe('CBOR', () => {
  it('agrees with the examples of RFC 8949', () => {
    for (const [hex, value] of EXAMPLES) {
      expect(toHex(encodeCbor(value))).toBe(hex);
      expect(decodeCbor(fromHex(hex))).toEqual(value);
    }
  });

  it('writes the same bytes as another implementation, and reads what that one writes', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const encoded = encodeCbor(value);
        expect(toHex(encoded)).toBe(toHex(judgeEncode(value, rfc8949EncodeOptions)));
        expect(decodeCbor(encoded)).toEqual(judgeDecode(encoded, { useMaps: true, strict: true }));
      }),
      { seed: 6, numRuns: 500 },
    );
  });

  it('takes byte arrays and maps of another realm for what they are', () => {
    const foreign: CborValue = runInNewContext('new Map([[1, new Uint8Array([7])]])');
    expect(toHex(encodeCbor(foreign))).toBe('a1014107');
    expect(decodeCbor(runInNewContext('new Uint8Array([0x41, 7])'))).toEqual(Uint8Array.of(7));
  });

  it.each([
    ['nothing at all', '', 'CborTruncated'],
    ['a head cut short', '19', 'CborTruncated'],
    ['a string cut short', '4401', 'CborTruncated'],
    ['an array cut short', '8301', 'CborTruncated'],
    ['an array that promises four thousand million items', '9affffffff00', 'CborTruncated'],
    ['a map that promises more than is there', 'bb7fffffffffffffff', 'CborTruncated'],
    ['a string of 2^64 - 1 bytes', '5bffffffffffffffff', 'CborTruncated'],
    ['a second item', '0000', 'CborTrailingBytes'],
    ['an integer in a longer head', '1817', 'CborNotDeterministic'],
    ['an integer in a longer head', '190018', 'CborNotDeterministic'],
    ['an integer in a longer head', '1a0000ffff', 'CborNotDeterministic'],
    ['an integer in a longer head', '1b00000000ffffffff', 'CborNotDeterministic'],
    ['a length in a longer head', '580101', 'CborNotDeterministic'],
    ['an indefinite array', '9f01ff', 'CborNotDeterministic'],
    ['an indefinite map', 'bfff', 'CborNotDeterministic'],
    ['an indefinite byte string', '5f4101ff', 'CborNotDeterministic'],
    ['keys out of order', 'a202000100', 'CborNotDeterministic'],
    ['texts before integers', 'a261610001f6', 'CborNotDeterministic'],
    ['a key twice', 'a201000100', 'CborDuplicateKey'],
    ['a key twice, not adjacent', 'a3010002000100', 'CborDuplicateKey'],
    ['a key of bytes', 'a14101f6', 'CborUnsupported'],
    ['a key of 2^53 or more', 'a11b0020000000000000f6', 'CborUnsupported'],
    ['a float', 'f93c00', 'CborUnsupported'],
    ['a float', 'fa47c35000', 'CborUnsupported'],
    ['a float', 'fb3ff199999999999a', 'CborUnsupported'],
    ['undefined', 'f7', 'CborUnsupported'],
    ['a simple value', 'f0', 'CborUnsupported'],
    ['a simple value', 'f8ff', 'CborUnsupported'],
    ['a break', 'ff', 'CborUnsupported'],
    ['a tag', 'c000', 'CborUnsupported'],
    ['reserved information', '1c', 'CborUnsupported'],
    ['bytes that are not UTF-8', '61ff', 'BadText'],
    ['a surrogate in UTF-8', '63eda080', 'BadText'],
  ])('refuses %s (%s) with its own code', (_what, hex, code) => {
    expect(codeOf(() => decodeCbor(fromHex(hex)))).toBe(code);
  });

  it('refuses depth and size beyond its bounds without using up the stack', () => {
    expect(codeOf(() => decodeCbor(new Uint8Array(900_000).fill(0x81)))).toBe('CborTooDeep');
    expect(codeOf(() => decodeCbor(fromHex('818100'), { maxDepth: 1 }))).toBe('CborTooDeep');
    expect(decodeCbor(fromHex('818100'), { maxDepth: 2 })).toEqual([[0]]);
    expect(codeOf(() => decodeCbor(new Uint8Array(1024 * 1024 + 1)))).toBe('CborTooLarge');
    expect(codeOf(() => decodeCbor(fromHex('00'), { maxBytes: 0 }))).toBe('CborTooLarge');
  });

  it('takes keys in any order only where asked to, and still each once', () => {
    expect(decodeCbor(fromHex('a202000100'), { anyKeyOrder: true })).toEqual(
      new Map([
        [2, 0],
        [1, 0],
      ]),
    );
    expect(codeOf(() => decodeCbor(fromHex('a3020001000200'), { anyKeyOrder: true }))).toBe(
      'CborDuplicateKey',
    );
  });

  it('refuses to write what no document may hold', () => {
    const cycle: CborValue[] = [];
    cycle.push(cycle);
    for (const value of [1.5, Number.NaN, 2 ** 53, 2n ** 64n, undefined, {}, () => 0, cycle]) {
      expect(codeOf(() => encodeCbor(value as CborValue))).toBe('CborUnsupported');
    }
    expect(codeOf(() => encodeCbor('\udc00'))).toBe('BadText');
  });

  it('hands out copies: the input may change afterwards', () => {
    const input = fromHex('4101');
    const value = decodeCbor(input);
    input.fill(0xff);
    expect(value).toEqual(Uint8Array.of(1));
  });

  strictnessSuite({
    name: 'CBOR',
    samples: fc.sample(anyValue, { seed: 8, numRuns: 60 }).map(encodeCbor),
    decode: decodeCbor,
    encode: encodeCbor,
    mutations: 6000,
  });
});
