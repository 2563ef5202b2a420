import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from './bytes.ts';
import { guidFromBytes, guidFromRandom, guidToBytes, isGuid, parseGuid } from './guid.ts';
import { codeOf } from './testing/strictness.ts';

describe('GUIDs', () => {
  it('has the byte order of image metadata', () => {
    // Identity section of a package that the platform's own SDK built (azure-sphere.md §2.4).
    const bytes = fromHex('aa1447aeaa032b499663962f966a9cc3');
    expect(guidFromBytes(bytes)).toBe('ae4714aa-03aa-492b-9663-962f966a9cc3');
    expect(guidToBytes('AE4714AA-03AA-492B-9663-962F966A9CC3')).toEqual(bytes);
  });

  it('makes version 4 GUIDs of random bytes, each readable again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (random) => {
        const guid = guidFromRandom(random);
        expect(guid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(isGuid(guid)).toBe(true);
        expect(guidFromBytes(guidToBytes(guid))).toBe(guid);
      }),
      { seed: 5 },
    );
  });

  it('refuses other spellings', () => {
    for (const text of [
      '',
      '{ae4714aa-03aa-492b-9663-962f966a9cc3}',
      'ae4714aa03aa492b9663962f966a9cc3',
      'ae4714aa-03aa-492b-9663-962f966a9cc',
      'ae4714aa-03aa-492b-9663-962f966a9cg3',
      'ae4714aa-03aa-492b-9663-962f966a9cc3 ',
    ]) {
      expect(codeOf(() => parseGuid(text))).toBe('BadGuid');
    }
    expect(codeOf(() => guidFromBytes(new Uint8Array(15)))).toBe('BadGuid');
  });
});
