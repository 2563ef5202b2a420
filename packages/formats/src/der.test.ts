import * as fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from './bytes.ts';
import { der, DER_TAG } from './der.ts';
import { DerReader } from './der-reader.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';

const read = <T>(hex: string, by: (reader: DerReader) => T): T => DerReader.read(fromHex(hex), by);

/** Any structure, as nested elements: enough to write every element again. */
type Tree = { readonly tag: number; readonly parts: readonly Tree[] | Uint8Array };
function readTree(reader: DerReader): Tree {
  const tag = reader.peekTag() ?? 0;
  const inside = (inner: DerReader): readonly Tree[] => {
    const parts: Tree[] = [];
    while (!inner.done) parts.push(readTree(inner));
    return parts;
  };
  if (tag === DER_TAG.sequence) return { tag, parts: reader.sequence(inside) };
  if (tag >> 5 === 5) return { tag, parts: reader.explicit(tag & 31, inside) };
  return { tag, parts: reader.any().content };
}
function writeTree({ tag, parts }: Tree): Uint8Array {
  if (!Array.isArray(parts)) {
    const content = parts as Uint8Array;
    const written = der.octetString(content);
    return concatBytes(Uint8Array.of(tag), written.subarray(1));
  }
  const inner = (parts as readonly Tree[]).map(writeTree);
  return tag === DER_TAG.sequence ? der.sequence(...inner) : der.explicit(tag & 31, ...inner);
}

describe('writing DER', () => {
  it.each<[string, Uint8Array, string]>([
    ['zero', der.integer(0), '020100'],
    ['127', der.integer(127), '02017f'],
    ['128', der.integer(128), '02020080'],
    ['-128', der.integer(-128), '020180'],
    ['-129', der.integer(-129n), '0202ff7f'],
    ['a magnitude with its top bit set', der.integer(Uint8Array.of(0, 0x80)), '02020080'],
    ['an empty magnitude', der.integer(new Uint8Array(0)), '020100'],
    ['false', der.boolean(false), '010100'],
    ['true', der.boolean(true), '0101ff'],
    ['null', der.null(), '0500'],
    ['id-ecPublicKey', der.oid('1.2.840.10045.2.1'), '06072a8648ce3d0201'],
    [
      'an arc of 128 bits',
      der.oid('2.25.329800735698586629295641978511506172918'),
      '06146983f09da7ebcfdee0c7a1a7b2c0948cc8f9d776',
    ],
    ['2.999', der.oid('2.999'), '06028837'],
    ['a bit string', der.bitString(Uint8Array.of(0xa0), 5), '030205a0'],
    ['digitalSignature', der.namedBits(0), '03020780'],
    ['keyCertSign and cRLSign', der.namedBits(5, 6), '03020106'],
    ['no bits', der.namedBits(), '030100'],
    ['a length of 128', der.octetString(new Uint8Array(128)), `048180${'00'.repeat(128)}`],
    ['a length of 256', der.octetString(new Uint8Array(256)), `04820100${'00'.repeat(256)}`],
    ['a set, sorted', der.set(der.integer(2), der.boolean(true)), '31060101ff020102'],
    ['explicit [3]', der.explicit(3, der.integer(2)), 'a303020102'],
    ['implicit [1]', der.implicit(1, Uint8Array.of(5)), '810105'],
    ['a date of 2049', der.time(Date.UTC(2049, 11, 31, 23, 59, 59)), '170d3439313233313233353935395a'],
    ['a date of 2050', der.time(Date.UTC(2050, 0, 1)), '180f32303530303130313030303030305a'],
    ['a text', der.utf8String('é'), '0c02c3a9'],
    ['a printable text', der.printableString('A b'), '1303412062'],
  ])('writes %s', (_what, written, hex) => {
    expect(toHex(written)).toBe(hex);
  });

  it('refuses what has no encoding', () => {
    expect(codeOf(() => der.printableString('a@b'))).toBe('DerBadString');
    expect(codeOf(() => der.ia5String('é'))).toBe('DerBadString');
    for (const oid of ['', '1', '3.1', '1.40', '1.02', '1.2.', 'a.b'])
      expect(codeOf(() => der.oid(oid))).toBe('DerBadOid');
    expect(codeOf(() => der.utcTime(Date.UTC(2050, 0, 1)))).toBe('DerBadTime');
    expect(codeOf(() => der.time(Number.NaN))).toBe('DerBadTime');
    expect(codeOf(() => der.bitString(Uint8Array.of(1), 1))).toBe('DerBadBitString');
    expect(codeOf(() => der.explicit(31))).toBe('DerHighTag');
  });
});

describe('reading DER', () => {
  it('reads every value that it writes', () => {
    const oid = fc
      .tuple(
        fc.integer({ min: 0, max: 2 }),
        fc.nat(39),
        fc.array(fc.bigInt({ min: 0n, max: 2n ** 60n }), { maxLength: 5 }),
      )
      .map(([first, second, rest]) => [first, second, ...rest].join('.'));
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
        oid,
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ unit: 'grapheme' }),
        fc.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(9999, 11, 31) / 1000 }),
        fc.uniqueArray(fc.nat(40), { maxLength: 9 }),
        (integer, id, bytes, text, seconds, bits) => {
          const written = der.sequence(
            der.integer(integer),
            der.oid(id),
            der.octetString(bytes),
            der.bitString(bytes),
            der.utf8String(text),
            der.time(seconds * 1000),
            der.namedBits(...bits),
          );
          DerReader.read(written, (reader) =>
            reader.sequence((inner) => {
              expect(inner.integer()).toBe(integer);
              expect(inner.oid()).toBe(id);
              expect(inner.octetString()).toEqual(bytes);
              expect(inner.bitString()).toEqual(bytes);
              expect(inner.utf8String()).toBe(text);
              expect(inner.time()).toBe(seconds * 1000);
              expect(inner.namedBits()).toEqual(bits.toSorted((a, b) => a - b));
            }),
          );
        },
      ),
      { seed: 11, numRuns: 300 },
    );
  });

  it('takes a public key of OpenSSL apart', () => {
    const spki = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
      type: 'spki',
      format: 'der',
    });
    const key = DerReader.read(spki, (reader) =>
      reader.sequence((outer) => ({
        algorithm: outer.sequence((inner) => [inner.oid(), inner.oid()]),
        point: outer.bitString(),
      })),
    );
    expect(key.algorithm).toEqual(['1.2.840.10045.2.1', '1.2.840.10045.3.1.7']);
    expect(key.point.length).toBe(65);
  });

  it('reads optional elements only where they are', () => {
    const parts = read('3008a203020105800100', (reader) =>
      reader.sequence((inner) => [
        inner.optionalExplicit(1, (each) => each.integer()),
        inner.optionalExplicit(2, (each) => each.integer()),
        inner.optionalImplicit(0)?.length,
        inner.optional(DER_TAG.boolean, (each) => each.boolean()),
      ]),
    );
    expect(parts).toEqual([null, 5n, 1, null]);
  });

  it.each<[string, string, (reader: DerReader) => unknown, string]>([
    ['nothing', '', (r) => r.integer(), 'DerTruncated'],
    ['a tag alone', '02', (r) => r.integer(), 'DerTruncated'],
    ['a length cut short', '0282', (r) => r.integer(), 'DerTruncated'],
    ['a value cut short', '020201', (r) => r.integer(), 'DerTruncated'],
    ['an element beyond its sequence', '3003020201', (r) => r.sequence((i) => i.integer()), 'DerTruncated'],
    ['bytes after the end', '02010100', (r) => r.integer(), 'DerTrailingBytes'],
    ['an element too many', '3006020101020101', (r) => r.sequence((i) => i.integer()), 'DerTrailingBytes'],
    ['an indefinite length', '30800000', (r) => r.sequence(() => null), 'DerIndefiniteLength'],
    ['a length of two octets where one does', '0281017f', (r) => r.integer(), 'DerNonMinimalLength'],
    ['a length with a leading zero', '02820001ff', (r) => r.integer(), 'DerNonMinimalLength'],
    ['a length of five octets', '02850000000001ff', (r) => r.integer(), 'DerTooLarge'],
    ['a length of 4 GiB', '0484ffffffff', (r) => r.octetString(), 'DerTruncated'],
    ['a tag of several octets', '1f8101', (r) => r.any(), 'DerHighTag'],
    ['another type', '0401ff', (r) => r.integer(), 'DerUnexpectedTag'],
    ['a constructed octet string', '24030401ff', (r) => r.octetString(), 'DerUnexpectedTag'],
    ['true as 01', '010101', (r) => r.boolean(), 'DerBadBoolean'],
    ['a boolean of two octets', '0102ffff', (r) => r.boolean(), 'DerBadBoolean'],
    ['an empty integer', '0200', (r) => r.integer(), 'DerBadInteger'],
    ['an integer with a leading zero', '0202007f', (r) => r.integer(), 'DerBadInteger'],
    ['an integer with a leading FF', '0202ff80', (r) => r.integer(), 'DerBadInteger'],
    ['a negative where none may be', '0201ff', (r) => r.unsignedInteger(), 'DerBadInteger'],
    ['a number too large', '020203e8', (r) => r.smallInteger(999), 'DerBadInteger'],
    ['a number of 20 octets', `0214${'7f'.repeat(20)}`, (r) => r.smallInteger(), 'DerBadInteger'],
    ['null with content', '050100', (r) => r.null(), 'DerBadNull'],
    ['an empty object identifier', '0600', (r) => r.oid(), 'DerBadOid'],
    ['an object identifier cut short', '06022a86', (r) => r.oid(), 'DerBadOid'],
    ['an arc with leading zeros', '06032a8001', (r) => r.oid(), 'DerBadOid'],
    ['an object identifier without end', `0641${'2a'.repeat(65)}`, (r) => r.oid(), 'DerBadOid'],
    ['a bit string without its first octet', '0300', (r) => r.bits(), 'DerBadBitString'],
    ['eight unused bits', '030208ff', (r) => r.bits(), 'DerBadBitString'],
    ['unused bits of nothing', '030101', (r) => r.bits(), 'DerBadBitString'],
    ['unused bits that are set', '030201ff', (r) => r.bits(), 'DerBadBitString'],
    ['a key of 7 bits', '03020180', (r) => r.bitString(), 'DerBadBitString'],
    ['named bits with a trailing zero', '03020680', (r) => r.namedBits(), 'DerBadBitString'],
    ['text that is no UTF-8', '0c01ff', (r) => r.utf8String(), 'DerBadString'],
    ['a star in a printable string', '13012a', (r) => r.printableString(), 'DerBadString'],
    ['an umlaut in an IA5 string', '1602c3a4', (r) => r.ia5String(), 'DerBadString'],
    ['a time without Z', '170c323630313031303030303030', (r) => r.time(), 'DerBadTime'],
    ['a time without seconds', '170b323630313031303030305a', (r) => r.time(), 'DerBadTime'],
    ['the 30th of February', '170d3236303233303030303030305a', (r) => r.time(), 'DerBadTime'],
    ['hour 24', '170d3236303130313234303030305a', (r) => r.time(), 'DerBadTime'],
    ['second 60', '170d3236303130313030303036305a', (r) => r.time(), 'DerBadTime'],
    ['a fraction of a second', '181132303530303130313030303030302e355a', (r) => r.time(), 'DerBadTime'],
    ['a time of 2026 in four digits', '180f32303236303130313030303030305a', (r) => r.time(), 'DerBadTime'],
    [
      'a set out of order',
      '31060201020101ff',
      (r) => r.set((i) => [i.integer(), i.boolean()]),
      'DerNotSorted',
    ],
  ])('refuses %s', (_what, hex, by, code) => {
    expect(codeOf(() => read(hex, by))).toBe(code);
  });

  it('keeps within its bounds of depth and size', () => {
    expect(codeOf(() => DerReader.read(new Uint8Array(70_000), (reader) => reader.any()))).toBe(
      'DerTooLarge',
    );
    let nested: Uint8Array = der.null();
    for (let level = 0; level < 20; level++) nested = der.sequence(nested);
    expect(codeOf(() => DerReader.read(nested, readTree))).toBe('DerTooDeep');
    expect(DerReader.read(nested, readTree, { maxDepth: 20 })).toBeTruthy();
  });

  strictnessSuite({
    name: 'DER',
    samples: [
      der.sequence(
        der.explicit(0, der.integer(2)),
        der.integer(Uint8Array.from({ length: 16 }, (_, i) => i + 0x80)),
        der.sequence(der.oid('1.2.840.10045.4.3.2')),
        der.sequence(der.utcTime(0), der.generalizedTime(Date.UTC(2051, 1, 1))),
        der.octetString(new Uint8Array(200)),
        der.bitString(new Uint8Array(65)),
      ),
      der.sequence(der.boolean(true), der.null(), der.utf8String('text')),
    ],
    decode: (bytes) => DerReader.read(bytes, readTree),
    encode: writeTree,
    mutations: 4000,
  });
});
