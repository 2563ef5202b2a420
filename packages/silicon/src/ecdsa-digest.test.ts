import { generateKeyPairSync, sign } from 'node:crypto';
import { concatBytes, fromHex } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { invert, verifyP256Digest } from './ecdsa-digest.ts';
import { insecureSeededEntropy, sha256, verifyP256 } from './engines.ts';
import { ORDER, isSigned, publicOf, quotient, signed } from './testing/textbook-ecdsa.ts';

const SPKI_HEAD = fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004');
const bytesOf = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, '0'));
const numberOf = (bytes: Uint8Array): bigint => BigInt(`0x${bytes.toHex()}`);
const spkiOf = ([x, y]: readonly [bigint, bigint]): Uint8Array =>
  concatBytes(SPKI_HEAD, bytesOf(x), bytesOf(y));
const noise = insecureSeededEntropy('ecdsa over digests');
const ROUNDS = 100 * Number(process.env['SEVENFOLD_DEPTH'] ?? 1);
const scalar = (): bigint => (numberOf(noise.random(32)) % (ORDER - 1n)) + 1n;

/** What the engine says, which must be what the textbook says. */
function judged(key: bigint, z: bigint, signature: { readonly r: bigint; readonly s: bigint }): boolean {
  const { r, s } = signature;
  const point = publicOf(key);
  const digest = bytesOf(z);
  const verdict = verifyP256Digest(spkiOf(point), digest, concatBytes(bytesOf(r), bytesOf(s)));
  expect(verdict).toBe(isSigned(point, numberOf(digest), signature));
  return verdict;
}

describe('ECDSA over a digest', () => {
  it('says what node:crypto says of the message, for genuine and damaged signatures, messages and keys', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }));
    let accepted = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const message = noise.random(40);
      const genuine = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const damaged = Uint8Array.from(genuine);
      const damagedKey = Uint8Array.from(spki);
      const [place = 0, bit = 0] = noise.random(2);
      const at = place % 64;
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (bit % 8));
      // In x or y: what stands before them is compared as it is, where OpenSSL knows other forms as well.
      damagedKey[27 + at] = (damagedKey[27 + at] ?? 0) ^ (1 << (bit % 8));
      for (const [key, signature] of [
        [spki, genuine],
        [spki, damaged],
        [damagedKey, genuine],
      ] as const) {
        const verdict = verifyP256Digest(key, sha256(message), signature);
        expect(verdict).toBe(verifyP256(key, message, signature));
        if (verdict) accepted += 1;
      }
      expect(verifyP256Digest(spki, sha256(genuine), genuine)).toBe(false);
    }
    expect(accepted).toBe(ROUNDS);
  });

  it('says what the textbook says where r, s or the digest stand at the end of their range', () => {
    const key = scalar();
    const ends = [0n, 1n, ORDER - 1n, ORDER, 2n ** 256n - 1n];
    for (const z of [0n, ORDER, 2n ** 256n - 1n]) {
      expect(judged(key, z, signed(key, scalar(), z))).toBe(true);
      for (const r of ends) for (const s of ends) judged(key, z, { r, s });
    }
  });

  it('divides as Euclid does, by small and large, short and long numbers', () => {
    for (let round = 0; round < 5000; round++) {
      const long = numberOf(noise.random(32)) % ORDER;
      for (const value of [
        BigInt(round + 1),
        ORDER - BigInt(round + 1),
        (long >> BigInt(round % 250)) + 1n,
      ]) {
        const inverse = invert(value, ORDER);
        if ((value * inverse) % ORDER !== 1n || inverse >= ORDER) expect(value).toBe('invertible');
      }
    }
  });

  // Whoever has the private key can choose a digest for which the key cannot be moved in one addition.
  it.each([
    ['the digest of a stand-in itself', 0n],
    ['where the key would be doubled', 1n],
    ['where the moved key is at infinity', -1n],
  ])('stands the next message in: %s', (_what, factor) => {
    const [first = 0n, second = 0n] = [0, 1].map((byte) => numberOf(sha256(Uint8Array.of(byte))));
    const nonce = scalar();
    const r = publicOf(nonce)[0] % ORDER;
    const random = scalar();
    // The last one rules out the second stand-in as well: there (z − h)/r is the key or its opposite.
    for (const key of [random, quotient(first - second, r), quotient(second - first, r)]) {
      const z = (((first + factor * r * key) % ORDER) + ORDER) % ORDER;
      const genuine = signed(key, nonce, z);
      expect(judged(key, z, genuine)).toBe(true);
      expect(judged(key, z, { ...genuine, s: ORDER - genuine.s })).toBe(true);
      expect(judged(key, z, { ...genuine, s: random })).toBe(false);
    }
  });

  it('refuses keys of another curve, form or length, points off the curve, and signatures and digests of other lengths', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }));
    const signature = sign('sha256', 'message', { key: privateKey, dsaEncoding: 'ieee-p1363' });
    const digest = sha256(Buffer.from('message'));
    expect(verifyP256Digest(spki, digest, signature)).toBe(true);
    const other = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;
    const [x, y] = [numberOf(spki.subarray(27, 59)), numberOf(spki.subarray(59))];
    for (const bad of [
      Uint8Array.from(other.export({ format: 'der', type: 'spki' })),
      spkiOf([x, y + 1n]),
      spkiOf([0n, 0n]),
      concatBytes(SPKI_HEAD, new Uint8Array(64).fill(0xff)),
      concatBytes(spki, Uint8Array.of(0)),
      spki.subarray(0, 90),
      new Uint8Array(0),
    ])
      expect(verifyP256Digest(bad, digest, signature)).toBe(false);
    expect(verifyP256Digest(spki, digest, concatBytes(signature, Uint8Array.of(0)))).toBe(false);
    expect(verifyP256Digest(spki, digest, signature.subarray(0, 63))).toBe(false);
    expect(verifyP256Digest(spki, concatBytes(digest, Uint8Array.of(0)), signature)).toBe(false);
    expect(verifyP256Digest(spki, digest.subarray(0, 31), signature)).toBe(false);
  });
});
