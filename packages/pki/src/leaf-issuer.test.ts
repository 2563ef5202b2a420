import { beforeAll, describe, expect, it } from 'vitest';

import { toHex } from '@sevenfold/formats';

import { issueAndParse, issueCertificate, type CertificateIssuer } from './issue.ts';
import { parseCertificate, type Certificate } from './certificate.ts';
import { generateKeyPair, sha256, signWithPkcs8 } from './keys.ts';
import { LeafIssuer, type LeafRequest } from './leaf-issuer.ts';
import { PublicKey } from './public-key.ts';

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0, 250);
const SIGNATURE_LENGTH = 80;

type Authority = CertificateIssuer & { readonly certificate: Certificate };
let authority: Authority;
beforeAll(async () => {
  const { spki, pkcs8 } = generateKeyPair();
  const sign = (message: Uint8Array) => Promise.resolve(signWithPkcs8(pkcs8, message));
  const certificate = await issueAndParse(
    'tenantCa',
    { subject: [['CN', 'Tenant']], publicKey: spki, now: NOW, entropy: entropyFrom(99) },
    { certificate: null, sign },
  );
  authority = { certificate, sign };
});

function makeKey(curve: 'P-256' | 'P-384'): PublicKey {
  return PublicKey.require(generateKeyPair(curve).spki, 'publicKey', [curve]);
}

/** Its first byte decides how the serial number is written. */
function entropyFrom(first: number) {
  return { random: (length: number) => new Uint8Array(length).fill(7).fill(first, 0, 1) };
}

function request(number: number, change: Partial<LeafRequest> = {}): LeafRequest {
  return {
    deviceId: toHex(sha256(Uint8Array.of(number))),
    publicKey: makeKey('P-256'),
    now: NOW + number * 300,
    entropy: entropyFrom(number),
    attestation: { verdict: 'trusted', release: '26.11', evidenceDigest: sha256(Uint8Array.of(1, number)) },
    ...change,
  };
}

describe('the leaf issuer', () => {
  it('writes what the general encoder writes, byte for byte', async () => {
    for (const profile of ['device', 'update'] as const) {
      const issuer = new LeafIssuer(profile, authority);
      const releases = ['26.11', null, '26.11', 'x'.repeat(64)];
      for (const [index, release] of [...releases, ...releases].entries()) {
        for (const verdict of ['trusted', 'outdated', 'revoked', 'unknown'] as const) {
          const number = [0, 1, 0x7f, 0x80, 0xff][index % 5] ?? 0;
          const evidenceDigest = sha256(Uint8Array.of(index));
          const leaf = request(number, { attestation: { verdict, release, evidenceDigest } });
          const general = await issueCertificate(
            profile,
            { ...leaf, publicKey: leaf.publicKey.spki, subject: [['CN', leaf.deviceId]] },
            authority,
          );
          const expected = parseCertificate(general);
          const issued = await issuer.issue(leaf);
          const read = parseCertificate(issued.der);
          expect(toHex(read.tbs)).toBe(toHex(expected.tbs));
          expect(issued.serial).toBe(expected.serial);
          expect(issued.der.length - read.tbs.length).toBeLessThanOrEqual(SIGNATURE_LENGTH + 12);
        }
      }
    }
  });

  it('refuses names, keys, digests, times, sources and signers as the general encoder does', async () => {
    const issuer = new LeafIssuer('device', authority);
    const refusal = (change: Partial<LeafRequest>) => issuer.issue(request(1, change));
    await expect(refusal({ deviceId: 'A'.repeat(64) })).rejects.toThrow(/device id/u);
    await expect(refusal({ deviceId: 'a'.repeat(63) })).rejects.toThrow(/device id/u);
    await expect(refusal({ publicKey: makeKey('P-384') })).rejects.toThrow(/P-256/u);
    await expect(refusal({ now: NOW + 3 * 366 * 86_400_000 })).rejects.toThrow(/not valid now/u);
    await expect(refusal({ now: NOW - 86_400_000 })).rejects.toThrow(/not valid now/u);
    await expect(refusal({ entropy: { random: () => new Uint8Array(16) } })).rejects.toThrow(/entropy/u);
    const attestation = { verdict: 'trusted', release: null, evidenceDigest: new Uint8Array(31) } as const;
    await expect(refusal({ attestation })).rejects.toThrow(/digest/u);
    await expect(
      refusal({ attestation: { ...attestation, release: '', evidenceDigest: new Uint8Array(32) } }),
    ).rejects.toThrow(/release/u);
    const other = generateKeyPair();
    const faulty = new LeafIssuer('device', {
      ...authority,
      sign: (message) => Promise.resolve(signWithPkcs8(other.pkcs8, message)),
    });
    await expect(faulty.issue(request(1))).rejects.toThrow(/does not fit/u);
    await expect(faulty.issue(request(1))).rejects.toThrow(/does not fit/u);
    const leaf = parseCertificate((await issuer.issue(request(2))).der);
    expect(() => new LeafIssuer('device', { ...authority, certificate: leaf })).toThrow(
      /no certificate authority/u,
    );
  });

  it('finds a key store that breaks after its first signature within 256 certificates', async () => {
    const other = generateKeyPair();
    let signed = 0;
    const issuer = new LeafIssuer('device', {
      ...authority,
      sign: (message) =>
        signed++ < 10 ? authority.sign(message) : Promise.resolve(signWithPkcs8(other.pkcs8, message)),
    });
    const leaf = request(1);
    const issueAll = async () => {
      for (let count = 0; count < 257; count += 1) await issuer.issue(leaf);
    };
    await expect(issueAll()).rejects.toThrow(/does not fit/u);
    // From then on nothing leaves until a signature is right again.
    await expect(issuer.issue(leaf)).rejects.toThrow(/does not fit/u);
    expect(signed).toBe(258);
  });
});
