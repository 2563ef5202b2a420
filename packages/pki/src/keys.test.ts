import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { fromHex } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';

import { generateKeyPair, signWithPkcs8, spkiSha256, thumbprint } from './keys.ts';
import { checkP256Spki, verifySignature } from './public-key.ts';

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly publicKeyDer: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly msg: string;
      readonly sig: string;
      readonly result: string;
    }[];
  }[];
}

const vectors = process.env['SEVENFOLD_VECTORS'] ?? join(import.meta.dirname, '../../../../shared/vectors');

describe.each([
  ['ecdsa_secp256r1_sha256_p1363_test.json', 'ES256'],
  ['ecdsa_secp384r1_sha384_p1363_test.json', 'ES384'],
] as const)('Wycheproof %s', (name, algorithm) => {
  const path = join(vectors, 'wycheproof', name);
  const isThere = existsSync(path);
  if (!isThere) process.stderr.write(`skipped: no Wycheproof vectors at ${path}\n`);

  it.skipIf(!isThere)('is judged alike in every case', () => {
    const file = JSON.parse(readFileSync(path, 'utf8')) as WycheproofFile;
    let cases = 0;
    const wrong: string[] = [];
    for (const group of file.testGroups) {
      const spki = fromHex(group.publicKeyDer);
      for (const test of group.tests) {
        cases += 1;
        const accepted = verifySignature(spki, fromHex(test.msg), fromHex(test.sig), algorithm);
        if (accepted !== (test.result === 'valid')) wrong.push(`${test.tcId} ${test.comment}: ${accepted}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(cases).toBeGreaterThan(200);
  });
});

describe('public keys', () => {
  const { spki, pkcs8 } = generateKeyPair();
  const message = new TextEncoder().encode('message');

  it('verify what their private half signed, by their own algorithm alone', () => {
    const signature = signWithPkcs8(pkcs8, message);
    expect(verifySignature(spki, message, signature)).toBe(true);
    expect(verifySignature(spki, message, signature, 'ES384')).toBe(false);
    expect(verifySignature(spki, message, signature, 'EdDSA')).toBe(false);
    expect(verifySignature(generateKeyPair().spki, message, signature)).toBe(false);
  });

  it('are named by hashes of their SPKI', () => {
    expect(thumbprint(spki)).toHaveLength(20);
    expect(spkiSha256(spki)).toHaveLength(32);
  });

  it('are refused off the curve, compressed, with bytes behind them, or of another kind', () => {
    const offCurve = spki.slice();
    offCurve[90] = (offCurve[90] ?? 0) ^ 1;
    const trailing = Uint8Array.of(...spki, 0);
    for (const bad of [offCurve, trailing, spki.subarray(0, 59), new Uint8Array(91), new Uint8Array(0)]) {
      expect(() => checkP256Spki(bad, 'spki')).toThrow(
        expect.objectContaining({ code: 'BadKey', field: 'spki' }),
      );
      expect(verifySignature(bad, message, new Uint8Array(64))).toBe(false);
    }
    expect(checkP256Spki(spki, 'spki')).toEqual(spki);
  });
});
