import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from './testing/strictness.ts';
import { utf8Decode, utf8DecodeLossy, utf8Encode, utf8Length } from './utf8.ts';

describe('UTF-8', () => {
  it('writes every text as the platform does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const bytes = new TextEncoder().encode(text);
        expect(utf8Encode(text)).toEqual(bytes);
        expect(utf8Length(text)).toBe(bytes.length);
        expect(utf8Decode(bytes)).toBe(text);
      }),
      { seed: 3 },
    );
  });

  it('accepts and refuses the same bytes as the platform', () => {
    const judge = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const byte = fc.oneof(
      fc.constantFrom(0x7f, 0x80, 0xbf, 0xc1, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xf5, 0xff, 0x9f, 0xa0),
      fc.nat(255),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 8 }), (values) => {
        const bytes = Uint8Array.from(values);
        let expected: string | null = null;
        try {
          expected = judge.decode(bytes);
        } catch {
          expect(codeOf(() => utf8Decode(bytes))).toBe('BadText');
        }
        if (expected !== null) expect(utf8Decode(bytes)).toBe(expected);
        expect(utf8DecodeLossy(bytes).isWellFormed()).toBe(true);
      }),
      { seed: 4, numRuns: 3000 },
    );
  });

  it('keeps long texts whole', () => {
    const text = 'añ€😀'.repeat(5000);
    expect(utf8Decode(utf8Encode(text))).toBe(text);
  });

  it('refuses to write half a surrogate pair', () => {
    expect(codeOf(() => utf8Encode('\ud800'))).toBe('BadText');
  });
});
