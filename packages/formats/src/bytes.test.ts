import * as fc from 'fast-check';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  compareBytes,
  concatBytes,
  crc32,
  equalBytes,
  fromBase64Url,
  fromHex,
  isBytes,
  toBase64Url,
  toHex,
} from './bytes.ts';
import { codeOf } from './testing/strictness.ts';

describe('hexadecimal and base64url', () => {
  it('agrees with the platform on every input', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes);
        expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
      }),
      { seed: 1 },
    );
  });

  it('refuses what is not exactly hexadecimal', () => {
    for (const text of ['0', '0g', ' 00', '00\n', '0x00', '٠٠'])
      expect(codeOf(() => fromHex(text))).toBe('BadHex');
  });

  it('refuses padding, other alphabets, spaces and stray bits', () => {
    for (const text of ['AA==', 'A', 'A+', 'A/', 'AA\n', 'AB', 'AAB']) {
      expect(codeOf(() => fromBase64Url(text))).toBe('BadBase64');
    }
  });
});

describe('byte arrays', () => {
  it('recognises byte arrays of another realm and nothing else', () => {
    expect(isBytes(runInNewContext('new Uint8Array(3)'))).toBe(true);
    expect(isBytes(Buffer.from('x'))).toBe(true);
    for (const other of [[1], 'x', null, new Uint16Array(1), new DataView(new ArrayBuffer(1))]) {
      expect(isBytes(other)).toBe(false);
    }
  });

  it('joins, compares and orders', () => {
    const a = Uint8Array.of(1, 2);
    const b = Uint8Array.of(1, 3);
    expect(concatBytes(a, new Uint8Array(0), b)).toEqual(Uint8Array.of(1, 2, 1, 3));
    expect(equalBytes(a, Uint8Array.of(1, 2))).toBe(true);
    expect(equalBytes(a, b)).toBe(false);
    expect(equalBytes(a, concatBytes(a, b))).toBe(false);
    expect(compareBytes(a, b)).toBeLessThan(0);
    expect(compareBytes(concatBytes(a, b), a)).toBeGreaterThan(0);
  });

  it('computes the CRC-32 of zlib', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(crc32(bytes)).toBe(zlibCrc32(bytes));
        const part = bytes.length >> 1;
        expect(crc32(bytes.subarray(part), crc32(bytes.subarray(0, part)))).toBe(crc32(bytes));
      }),
      { seed: 2 },
    );
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });
});
