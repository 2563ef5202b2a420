import { describe, expect, it } from 'vitest';
import { concatBytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import {
  encodeEndorsements,
  evidenceNameOf,
  MAX_ENDORSEMENT_BATCH,
  readEndorsements,
  type Endorsement,
} from './endorsement.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';
import { utf8Encode } from './utf8.ts';

const DEVICE = 'ab'.repeat(32);
const ONE: Endorsement = {
  deviceId: DEVICE,
  spki: Uint8Array.from({ length: 91 }, (_, index) => index),
  chipSku: 7,
  evidenceName: evidenceNameOf(DEVICE),
};
const NAMED: Endorsement = { ...ONE, evidenceName: '02000000000000ff' };
const BASE64 = Buffer.from(ONE.spki).toString('base64');

/** What is wrong with a line, or the endorsement that it is. */
const judge = (text: string): string | Endorsement => {
  const [only] = readEndorsements(utf8Encode(text), 'json-lines');
  if (only === undefined) throw new Error('there is no line');
  return 'rule' in only ? only.rule : only.endorsement;
};
const line = (change: object = {}): string =>
  JSON.stringify({ deviceId: DEVICE, spki: BASE64, chipSku: 7, ...change });

describe('a line of endorsements', () => {
  it('is read, with the name of our own chips where it has none', () => {
    expect(judge(line())).toEqual(ONE);
    expect(judge(line({ evidenceName: NAMED.evidenceName }))).toEqual(NAMED);
  });

  it.each<[string, string, RegExp]>([
    ['no JSON', 'x', /not JSON/],
    ['no object', '[]', /no JSON object/],
    ['a field twice', `{"chipSku":1,${line().slice(1)}`, /chipSku/],
    ['an unknown field', line({ extra: 1 }), /Unknown field "extra"/],
    ['no device id', line({ deviceId: undefined }), /deviceId/],
    ['a device id in upper case', line({ deviceId: 'AB'.repeat(32) }), /deviceId/],
    ['a chip SKU that is a text', line({ chipSku: '7' }), /chipSku/],
    ['a chip SKU of 33 bits', line({ chipSku: 2 ** 32 }), /chipSku/],
    ['a negative zero', line().replace('7}', '-0}'), /chipSku/],
    ['a key without padding', line({ spki: BASE64.replace(/=+$/, '') }), /spki/],
    ['a key with spaces', line({ spki: ` ${BASE64}` }), /spki/],
    ['a key that is none of text', line({ spki: 7 }), /spki/],
    ['an empty key', line({ spki: '' }), /spki/],
    ['a name of one byte', line({ evidenceName: '01' }), /evidenceName/],
    ['a name of 65 bytes', line({ evidenceName: '01'.repeat(65) }), /evidenceName/],
    ['null for a name', line({ evidenceName: null }), /evidenceName/],
    ['more than a line may have', line({ spki: 'A'.repeat(1200) }), /1024 bytes/],
  ])('is told to have %s', (_what, text, rule) => {
    expect(judge(text)).toMatch(rule);
  });

  it('has one spelling of its key', () => {
    expect(judge(line({ spki: 'AA==' }))).toMatchObject({ spki: new Uint8Array(1) });
    // The last digit before the padding has bits that no byte uses.
    expect(judge(line({ spki: 'AB==' }))).toMatch(/base64/);
  });

  it('is counted from 1, whatever stands in the others', () => {
    const bytes = concatBytes(utf8Encode(`${line()}\n`), Uint8Array.of(0xff, 0x0a), utf8Encode(line()));
    expect(readEndorsements(bytes, 'json-lines').map((read) => [read.line, 'rule' in read])).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);
  });
});

describe('a batch of endorsements', () => {
  it('has no lines when it is empty, and is bounded', () => {
    expect(readEndorsements(new Uint8Array(0), 'json-lines')).toEqual([]);
    const large = new Uint8Array(MAX_ENDORSEMENT_BATCH + 1);
    expect(codeOf(() => readEndorsements(large, 'json-lines'))).toBe('TooLong');
    expect(codeOf(() => readEndorsements(large, 'cbor'))).toBe('TooLong');
  });

  it('in CBOR tells bad items by their numbers', () => {
    const bad = encodeCbor([new Map([[1, 0]]), 7, new Map([[9, 0]])]);
    const lines = readEndorsements(bad, 'cbor');
    expect(lines.map((read) => [read.line, 'rule' in read])).toEqual([
      [1, true],
      [2, true],
      [3, true],
    ]);
  });

  strictnessSuite({
    name: 'endorsements in CBOR',
    samples: [encodeEndorsements([ONE]), encodeEndorsements([ONE, NAMED])],
    decode: (bytes) => {
      const lines = readEndorsements(bytes, 'cbor');
      const bad = lines.find((read) => 'rule' in read);
      return {
        bytes,
        endorsements: lines.flatMap((read) => ('rule' in read ? [] : [read.endorsement])),
        bad,
      };
    },
    // What has a bad item is taken in by nobody; a name may also be spelled out where it need not be.
    encode: ({ bytes, endorsements, bad }) => {
      if (bad !== undefined) return bytes;
      const again = encodeEndorsements(endorsements);
      return again.length === bytes.length ? again : bytes;
    },
  });
});
