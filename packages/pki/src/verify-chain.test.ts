import { randomBytes } from 'node:crypto';

import { beforeAll, describe, expect, it } from 'vitest';

import { parseCertificate, type Certificate } from './certificate.ts';
import {
  ATTESTED,
  makeAuthorities,
  makeIdentity,
  NOW,
  type Authorities,
} from './testing/authorities.fixture.ts';
import { issueAndParse } from './issue.ts';
import { verifyChain, type ChainQuery } from './verify-chain.ts';

let all: Authorities;
let query: ChainQuery;
beforeAll(async () => {
  all = await makeAuthorities();
  query = {
    leaf: all.device.certificate,
    intermediates: [all.tenantCa.certificate, all.intermediate.certificate],
    roots: [all.root.certificate],
    now: NOW,
    purpose: 'clientAuth',
  };
});

const verdictOf = (change: Partial<ChainQuery>): string => {
  try {
    verifyChain({ ...query, ...change });
    return 'accepted';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'crashed';
  }
};

describe('a chain', () => {
  it('is accepted by the root, and by the tenant CA alone', () => {
    expect(verifyChain(query).map((one) => one.serial)).toEqual(
      [all.device, all.tenantCa, all.intermediate, all.root].map((one) => one.certificate.serial),
    );
    expect(verifyChain({ ...query, intermediates: [], roots: [all.tenantCa.certificate] })).toHaveLength(2);
  });

  it('is accepted with its parts in any order and with strangers among them', async () => {
    const stranger = await makeIdentity('root', 'Test tenant', null);
    expect(verdictOf({ intermediates: [stranger.certificate, ...query.intermediates.toReversed()] })).toBe(
      'accepted',
    );
  });

  it('is refused when a part is missing', () => {
    expect(verdictOf({ intermediates: [all.tenantCa.certificate] })).toBe('UnknownIssuer');
    expect(verdictOf({ intermediates: [] })).toBe('UnknownIssuer');
    expect(verdictOf({ roots: [] })).toBe('UnknownIssuer');
  });

  it('of another tenant is refused where one tenant CA is known', async () => {
    const other = await makeIdentity('tenantCa', 'Other tenant', all.intermediate);
    const device = await makeIdentity('device', 'foreign', other, { attestation: ATTESTED });
    const change = {
      leaf: device.certificate,
      intermediates: [other.certificate, all.intermediate.certificate],
    };
    expect(verdictOf({ ...change, roots: [all.tenantCa.certificate] })).toBe('UnknownIssuer');
    // Even one that took the same name.
    const impostor = await makeIdentity('root', 'Test tenant', null);
    const forged = await makeIdentity('device', 'forged', impostor, { attestation: ATTESTED });
    expect(
      verdictOf({ leaf: forged.certificate, intermediates: [], roots: [all.tenantCa.certificate] }),
    ).toBe('UnknownIssuer');
  });

  it('with an update certificate is refused where only the tenant CA is known', () => {
    const change = { leaf: all.update.certificate, intermediates: [all.updateCa.certificate] };
    expect(verdictOf({ ...change, roots: [all.tenantCa.certificate] })).toBe('UnknownIssuer');
    expect(verdictOf({ ...change, roots: [all.updateCa.certificate] })).toBe('accepted');
  });

  it('is valid from its first to its last second', () => {
    const { notBefore, notAfter } = all.device.certificate;
    expect(verdictOf({ now: notBefore - 1 })).toBe('NotYetValid');
    expect(verdictOf({ now: notBefore })).toBe('accepted');
    expect(verdictOf({ now: notAfter + 999 })).toBe('accepted');
    expect(verdictOf({ now: notAfter + 1000 })).toBe('Expired');
  });

  it('is refused when one of its authorities has expired, or has not begun', () => {
    const tenantCa = (change: Partial<Certificate>) => ({
      intermediates: [all.intermediate.certificate, { ...all.tenantCa.certificate, ...change }],
    });
    expect(verdictOf(tenantCa({ notAfter: NOW - 1000 }))).toBe('Expired');
    expect(verdictOf(tenantCa({ notBefore: NOW + 1 }))).toBe('NotYetValid');
    expect(verdictOf({ roots: [{ ...all.root.certificate, notAfter: NOW - 1000 }] })).toBe('Expired');
  });

  it('is refused when its leaf is for something else', () => {
    expect(verdictOf({ purpose: 'serverAuth' })).toBe('WrongPurpose');
    expect(verdictOf({ leaf: all.tenantCa.certificate })).toBe('WrongKeyUsage');
    expect(verdictOf({ leaf: { ...all.device.certificate, extendedKeyUsage: null } })).toBe('WrongPurpose');
  });

  it('is refused when an end entity plays the authority', async () => {
    // Signed by a device's key: what a stolen device would try.
    const forged = await makeIdentity(
      'device',
      'forged',
      {
        ...all.device,
        issuer: {
          ...all.device.issuer,
          certificate: {
            ...all.device.certificate,
            basicConstraints: { isCa: true, pathLength: null },
            keyUsage: ['keyCertSign'],
          },
        },
      },
      { attestation: ATTESTED },
    );
    expect(
      verdictOf({
        leaf: forged.certificate,
        intermediates: [all.device.certificate, ...query.intermediates],
      }),
    ).toBe('NotACertificateAuthority');
  });

  it.each<[string, Partial<Certificate>, string]>([
    ['no longer path', { basicConstraints: { isCa: true, pathLength: 0 } }, 'PathTooLong'],
    ['no basic constraints', { basicConstraints: null }, 'NotACertificateAuthority'],
    ['no right to sign', { keyUsage: ['digitalSignature'] }, 'WrongKeyUsage'],
    ['a purpose of its own', { extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'] }, 'WrongPurpose'],
    ['a critical extension that nobody knows', { unprocessed: ['1.2.3'] }, 'UnknownCriticalExtension'],
  ])('is refused when an authority in it has %s', (_what, change, code) => {
    expect(
      verdictOf({
        intermediates: [all.tenantCa.certificate, { ...all.intermediate.certificate, ...change }],
      }),
    ).toBe(code);
  });

  it('is refused when its leaf has a critical extension that nobody knows', () => {
    expect(verdictOf({ leaf: { ...all.device.certificate, unprocessed: ['1.2.3'] } })).toBe(
      'UnknownCriticalExtension',
    );
  });

  it('is accepted with root and intermediate on P-384', async () => {
    const large = await makeAuthorities({ curve: 'P-384' });
    const change = {
      leaf: large.device.certificate,
      intermediates: [large.tenantCa.certificate, large.intermediate.certificate],
      roots: [large.root.certificate],
    };
    expect(verdictOf(change)).toBe('accepted');
    expect(large.tenantCa.certificate.signatureAlgorithm).toBe('1.2.840.10045.4.3.3');
    // The algorithm has to be the one of the issuer's key.
    const mismatch = { ...large.tenantCa.certificate, signatureAlgorithm: '1.2.840.10045.4.3.2' };
    expect(verdictOf({ ...change, intermediates: [mismatch, large.intermediate.certificate] })).toBe(
      'BadSignature',
    );
  });

  it('is refused when an authority in it does not permit the name, whoever stands between', () => {
    const constraints = (value: Certificate['nameConstraints']) => ({
      roots: [{ ...all.root.certificate, nameConstraints: value }],
    });
    const name = { kind: 'directory', value: all.device.certificate.subject } as const;
    expect(verdictOf(constraints({ permitted: [], excluded: [name] }))).toBe('NameNotPermitted');
    // The authorities between have names as well.
    expect(verdictOf(constraints({ permitted: [name], excluded: [] }))).toBe('NameNotPermitted');
  });

  it('of a chip’s endorsement needs no purpose', () => {
    const leaf = { ...all.device.certificate, keyUsage: ['keyAgreement'], extendedKeyUsage: null } as const;
    expect(verdictOf({ leaf })).toBe('WrongKeyUsage');
    expect(verdictOf({ leaf, purpose: null })).toBe('accepted');
  });

  it('cannot be made costly by authorities that all look alike', async () => {
    // One key and one name under many serial numbers, in a circle: each could be the issuer of each.
    const { issuer, key } = await makeIdentity('root', 'Circle', null);
    const circle = await Promise.all(
      Array.from({ length: 16 }, async () =>
        issueAndParse(
          'intermediate',
          { subject: [['CN', 'Circle']], publicKey: key.spki, now: NOW, entropy: { random: randomBytes } },
          issuer,
        ),
      ),
    );
    const alike = circle.map((one) => ({
      ...one,
      basicConstraints: { isCa: true, pathLength: null },
    }));
    const leaf = await makeIdentity(
      'device',
      'x',
      { certificate: issuer.certificate ?? all.root.certificate, key, issuer },
      { attestation: ATTESTED },
    );
    // Unbounded it would take hours, and the test's own time would end.
    expect(verdictOf({ leaf: leaf.certificate, intermediates: alike })).toBe('TooCostly');
  });

  it('cannot be made costly by sending many certificates', () => {
    const many = Array.from({ length: 17 }, () => all.tenantCa.certificate);
    expect(verdictOf({ intermediates: many })).toBe('TooManyCertificates');
  });
});

describe('a device certificate of which a byte was changed', () => {
  it('is refused, whichever byte it is', () => {
    const { der } = all.device.certificate;
    const accepted: number[] = [];
    for (let index = 0; index < der.length; index += 1) {
      const tampered = der.slice();
      tampered[index] = (tampered[index] ?? 0) ^ (1 << ((index * 5) % 8));
      if (isAccepted(tampered)) accepted.push(index);
    }
    expect(accepted).toEqual([]);
  });

  it('is refused at every length but its own', () => {
    const { der } = all.device.certificate;
    for (let length = 0; length < der.length; length += 1)
      expect(isAccepted(der.subarray(0, length))).toBe(false);
    expect(isAccepted(Uint8Array.of(...der, 0))).toBe(false);
    expect(isAccepted(der)).toBe(true);
  });

  function isAccepted(untrusted: Uint8Array): boolean {
    let leaf: Certificate;
    try {
      leaf = parseCertificate(untrusted);
    } catch (error) {
      expect(error).toHaveProperty('code');
      return false;
    }
    return verdictOf({ leaf }) === 'accepted';
  }
});
