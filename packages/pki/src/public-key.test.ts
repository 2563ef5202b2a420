import { fromHex } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';

import { generateKeyPair, signWithPkcs8 } from './keys.ts';
import { PublicKey, verifySignature } from './public-key.ts';

const MESSAGE = Uint8Array.of(1, 2, 3);
const EC_ALGORITHM = '301306072a8648ce3d020106082a8648ce3d030107';
/** The point at infinity, which OpenSSL reads and cannot write. */
const INFINITY = fromHex(`3019${EC_ALGORITHM}03020000`);

describe('a public key that comes with what it signed', () => {
  it('is given where it signed, and nothing where anything differs', () => {
    const { spki, pkcs8 } = generateKeyPair();
    const signature = signWithPkcs8(pkcs8, MESSAGE);
    expect(PublicKey.ofSigner(spki, MESSAGE, signature)?.spki).toEqual(spki);
    expect(PublicKey.ofSigner(spki, Uint8Array.of(1, 2, 4), signature)).toBeNull();
    expect(PublicKey.ofSigner(generateKeyPair().spki, MESSAGE, signature)).toBeNull();
    expect(PublicKey.ofSigner(spki, MESSAGE, signature.subarray(1))).toBeNull();
    expect(PublicKey.ofSigner(spki, MESSAGE, signature, 'ES384')).toBeNull();
    expect(PublicKey.ofSigner(spki, MESSAGE, new Uint8Array(64))).toBeNull();
    expect(PublicKey.ofSigner(spki.with(60, (spki[60] ?? 0) ^ 1), MESSAGE, signature)).toBeNull();
  });

  it('verifies again afterwards, with a key of its own that nobody can change', () => {
    const { spki, pkcs8 } = generateKeyPair('P-384');
    const signature = signWithPkcs8(pkcs8, MESSAGE);
    const key = PublicKey.ofSigner(spki, MESSAGE, signature, 'ES384');
    spki.fill(0);
    expect(key?.verifies(MESSAGE, signature, 'ES384')).toBe(true);
    expect(key?.verifies(MESSAGE, signature, 'ES256')).toBe(false);
  });

  it('is refused without a crash where it is the point at infinity, or no key', () => {
    for (const untrusted of [INFINITY, new Uint8Array(0), new Uint8Array(91), new Uint8Array(3000)]) {
      expect(PublicKey.read(untrusted)).toBeNull();
      expect(PublicKey.ofSigner(untrusted, MESSAGE, new Uint8Array(64))).toBeNull();
      expect(verifySignature(untrusted, MESSAGE, new Uint8Array(64))).toBe(false);
    }
  });
});
