import * as fc from 'fast-check';
import { createSign, createVerify, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { signatureFromDer, signatureToDer } from './ecdsa.ts';
import { FormatError } from './errors.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';
import { hasVectors, vectorJson } from './testing/vectors.ts';

interface Wycheproof {
  readonly testGroups: readonly {
    readonly tests: readonly { tcId: number; sig: string; result: string; flags: readonly string[] }[];
  }[];
}

describe('forms of a P-256 signature', () => {
  it('turns r‖s into the DER that OpenSSL verifies, and back', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (let round = 0; round < 20; round++) {
      const message = `message ${round}`;
      const raw = createSign('sha256').update(message).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' });
      const encoded = signatureToDer(raw);
      expect(createVerify('sha256').update(message).verify(publicKey, encoded)).toBe(true);
      expect(toHex(signatureFromDer(encoded))).toBe(toHex(raw));
    }
  });

  it('keeps every pair of numbers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (raw) => {
        expect(signatureFromDer(signatureToDer(raw))).toEqual(raw);
      }),
      { seed: 12 },
    );
  });

  it('refuses other lengths', () => {
    expect(codeOf(() => signatureToDer(new Uint8Array(63)))).toBe('BadSignatureValue');
    expect(codeOf(() => signatureFromDer(fromHex(`3026022101${'00'.repeat(32)}020101`)))).toBe(
      'BadSignatureValue',
    );
    expect(codeOf(() => signatureFromDer(fromHex('30060201ff020101')))).toBe('DerBadInteger');
    expect(codeOf(() => signatureFromDer(new Uint8Array(0)))).toBe('DerTruncated');
  });

  it.skipIf(!hasVectors)('reads every valid signature of Wycheproof and no badly encoded one', () => {
    const { testGroups } = vectorJson('wycheproof', 'ecdsa_secp256r1_sha256_test.json') as Wycheproof;
    const badlyEncoded = ['BerEncodedSignature', 'InvalidEncoding', 'MissingZero', 'InvalidTypesInSignature'];
    let valid = 0;
    let refused = 0;
    for (const { tcId, sig, result, flags } of testGroups.flatMap((group) => group.tests)) {
      let read: Uint8Array | null = null;
      try {
        read = signatureFromDer(fromHex(sig));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
      // What is read must be the only encoding: so nothing badly encoded is ever read.
      if (read !== null) expect(toHex(signatureToDer(read)), `tcId ${tcId}`).toBe(sig);
      if (result === 'valid') {
        expect(read, `tcId ${tcId}`).not.toBeNull();
        valid += 1;
      }
      if (flags.some((flag) => badlyEncoded.includes(flag)) && result === 'invalid') {
        expect(read, `tcId ${tcId} ${flags.join()}`).toBeNull();
        refused += 1;
      }
    }
    expect(valid).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(50);
  });

  strictnessSuite({
    name: 'ECDSA signature in DER',
    samples: [signatureToDer(new Uint8Array(64).fill(0x90)), signatureToDer(new Uint8Array(64).fill(0x10))],
    decode: signatureFromDer,
    encode: signatureToDer,
  });
});
