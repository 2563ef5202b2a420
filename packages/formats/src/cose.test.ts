import { createPublicKey, sign, generateKeyPairSync, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from './bytes.ts';
import { type CborValue, encodeCbor } from './cbor.ts';
import { type CoseAlgorithm, decodeSign1, encodeSign1, type Sign1 } from './cose.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';
import { hasVectors, vectorJson, vectorNames } from './testing/vectors.ts';
import { utf8Encode } from './utf8.ts';

interface CoseExample {
  readonly title: string;
  readonly fail?: boolean;
  readonly input: {
    readonly sign0?: {
      readonly key: { readonly crv: string; readonly x: string; readonly y?: string };
      readonly external?: string;
    };
  };
  readonly intermediates?: { readonly ToBeSign_hex: string };
  readonly output: { readonly cbor: string };
}

const HASHES = { ES256: 'sha256', ES384: 'sha384', EdDSA: null } as const satisfies Record<
  CoseAlgorithm,
  string | null
>;

function isGenuine(message: Sign1, { crv, x, y }: { crv: string; x: string; y?: string }): boolean {
  const key = createPublicKey({
    key: { kty: y === undefined ? 'OKP' : 'EC', crv, x, ...(y === undefined ? {} : { y }) },
    format: 'jwk',
  });
  return verify(
    HASHES[message.algorithm],
    message.toBeSigned,
    { key, dsaEncoding: 'ieee-p1363' },
    message.signature,
  );
}

const example = (name: string): CoseExample => vectorJson('cose', ...name.split('/')) as CoseExample;
const decodeExample = ({ input, output }: CoseExample): Sign1 =>
  decodeSign1(
    fromHex(output.cbor),
    input.sign0?.external === undefined ? {} : { externalAad: fromHex(input.sign0.external) },
  );

describe.skipIf(!hasVectors)('COSE_Sign1 of the COSE working group', () => {
  it.each([
    'sign1-tests/sign-pass-02.json',
    'sign1-tests/sign-pass-03.json',
    'ecdsa-examples/ecdsa-sig-01.json',
    'ecdsa-examples/ecdsa-sig-02.json',
  ])('reads %s and its signature verifies', (name) => {
    const vector = example(name);
    const message = decodeExample(vector);
    expect(toHex(message.toBeSigned).toUpperCase()).toBe(vector.intermediates?.ToBeSign_hex);
    expect(message.payload).toEqual(utf8Encode('This is the content.'));
    const key = vector.input.sign0?.key;
    expect(key !== undefined && isGenuine(message, key)).toBe(true);
  });

  it.each([
    ['sign1-tests/sign-pass-01.json', 'MissingAlgorithm', 'an algorithm outside the protected header'],
    ['sign1-tests/sign-fail-01.json', 'NotSign1', 'another tag'],
    ['sign1-tests/sign-fail-03.json', 'UnknownAlgorithm', 'an unknown algorithm'],
    ['sign1-tests/sign-fail-04.json', 'UnknownAlgorithm', 'an algorithm that is a text'],
    ['ecdsa-examples/ecdsa-sig-03.json', 'UnknownAlgorithm', 'ES512, which is none of ours'],
    ['ecdsa-examples/ecdsa-01.json', 'NotSign1', 'several signers'],
  ])('refuses %s with %s: %s', (name, code) => {
    expect(codeOf(() => decodeExample(example(name)))).toBe(code);
  });

  it.each([
    'sign1-tests/sign-fail-02.json',
    'sign1-tests/sign-fail-06.json',
    'sign1-tests/sign-fail-07.json',
  ])('makes %s fail: it is refused, or its signature does not verify', (name) => {
    const vector = example(name);
    let genuine = false;
    const code = codeOf(() => {
      const key = vector.input.sign0?.key;
      genuine = key !== undefined && isGenuine(decodeExample(vector), key);
    });
    expect(code === 'accepted' ? genuine : false).toBe(false);
  });

  it('knows every file of the folder', () => {
    expect(vectorNames('cose/sign1-tests').length).toBe(9);
    expect(vectorNames('cose/ecdsa-examples').length).toBe(8);
  });
});

const SIGNATURE = new Uint8Array(64).fill(7);
const PROTECTED = encodeCbor(new Map([[1, -7]]));
const message = (...items: readonly CborValue[]): Uint8Array =>
  concatBytes(Uint8Array.of(0xd2), encodeCbor(items));

describe('COSE_Sign1', () => {
  it('makes messages that it reads and that verify', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keyId = new Uint8Array(20).fill(9);
    const draft = encodeSign1({ algorithm: 'ES256', keyId, payload: utf8Encode('plan') });
    const made = draft.finish(
      sign('sha256', draft.toBeSigned, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    );
    const read = decodeSign1(made);
    expect(read).toMatchObject({ algorithm: 'ES256', keyId, payload: utf8Encode('plan') });
    expect(read.toBeSigned).toEqual(draft.toBeSigned);
    expect(
      verify('sha256', read.toBeSigned, { key: publicKey, dsaEncoding: 'ieee-p1363' }, read.signature),
    ).toBe(true);
    expect(decodeSign1(made.subarray(1))).toEqual(read);
    expect(codeOf(() => draft.finish(new Uint8Array(72)))).toBe('WrongSignatureLength');
  });

  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'CborTruncated'],
    ['a MAC', fromHex('d18440a04040'), 'NotSign1'],
    ['a tag in a longer head', fromHex('d8128440a04040'), 'NotSign1'],
    ['an array of three', message(PROTECTED, new Map(), new Uint8Array(1)), 'NotSign1'],
    [
      'a protected header that is a map',
      message(new Map([[1, -7]]), new Map(), new Uint8Array(1), SIGNATURE),
      'WrongType',
    ],
    [
      'a protected header of a number',
      message(Uint8Array.of(7), new Map(), new Uint8Array(1), SIGNATURE),
      'NotSign1',
    ],
    [
      'an empty protected header',
      message(new Uint8Array(0), new Map([[1, -7]]), new Uint8Array(1), SIGNATURE),
      'MissingAlgorithm',
    ],
    [
      'the algorithm in both headers',
      message(PROTECTED, new Map([[1, -7]]), new Uint8Array(1), SIGNATURE),
      'UnsupportedHeader',
    ],
    [
      'critical headers',
      message(
        encodeCbor(
          new Map<number, CborValue>([
            [1, -7],
            [2, [99]],
          ]),
        ),
        new Map(),
        new Uint8Array(1),
        SIGNATURE,
      ),
      'UnsupportedHeader',
    ],
    [
      'an unknown label',
      message(PROTECTED, new Map([[33, new Uint8Array(3)]]), new Uint8Array(1), SIGNATURE),
      'UnsupportedHeader',
    ],
    [
      'a key id in both headers',
      message(
        encodeCbor(
          new Map<number, CborValue>([
            [1, -7],
            [4, Uint8Array.of(1)],
          ]),
        ),
        new Map([[4, Uint8Array.of(2)]]),
        new Uint8Array(1),
        SIGNATURE,
      ),
      'UnsupportedHeader',
    ],
    ['a detached payload', message(PROTECTED, new Map(), null, SIGNATURE), 'MissingPayload'],
    [
      'a DER signature',
      message(PROTECTED, new Map(), new Uint8Array(1), new Uint8Array(70)),
      'WrongSignatureLength',
    ],
    [
      'a signature for P-384',
      message(PROTECTED, new Map(), new Uint8Array(1), new Uint8Array(96)),
      'WrongSignatureLength',
    ],
    [
      'a key id of a number',
      message(PROTECTED, new Map([[4, 7]]), new Uint8Array(1), SIGNATURE),
      'WrongType',
    ],
    [
      'bytes after the end',
      concatBytes(message(PROTECTED, new Map(), new Uint8Array(1), SIGNATURE), Uint8Array.of(0)),
      'CborTrailingBytes',
    ],
    ['more than it may have', new Uint8Array(70_000).fill(0x84), 'CborTooLarge'],
  ])('refuses %s', (_what, bytes, code) => {
    expect(codeOf(() => decodeSign1(bytes))).toBe(code);
  });

  const sample = (keyId: Uint8Array | undefined): Uint8Array =>
    encodeSign1({ algorithm: 'ES256', payload: utf8Encode('payload'), ...(keyId && { keyId }) }).finish(
      SIGNATURE,
    );
  strictnessSuite({
    name: 'COSE_Sign1',
    samples: [sample(undefined), sample(new Uint8Array(20))],
    decode: (bytes) => {
      const read = decodeSign1(bytes);
      // A bare message, a content type or a key id in the protected header are other spellings on purpose.
      const { keyId, ...rest } = read;
      const again = encodeSign1({ ...rest, ...(keyId && { keyId }) });
      return { bytes, same: toHex(again.finish(read.signature)) === toHex(bytes) };
    },
    encode: ({ bytes, same }) =>
      same || bytes[0] !== 0xd2 || toHex(bytes).includes('03') ? bytes : new Uint8Array(0),
  });
});
