import { der } from '@sevenfold/formats';
import { beforeAll, describe, expect, it } from 'vitest';

import { parseCertificate, signatureAlgorithmOf } from './certificate.ts';
import { encodeExtension } from './extensions.ts';
import { encodeName } from './name.ts';
import { generateKeyPair } from './keys.ts';
import { makeAuthorities, type Authorities } from './testing/authorities.fixture.ts';

const ECDSA_WITH_SHA256 = signatureAlgorithmOf('P-256');
const name = encodeName([['CN', 'x']]);
const { spki } = generateKeyPair();
const keyUsage = encodeExtension('2.5.29.15', true, der.namedBits(0));

interface Parts {
  version?: Uint8Array[];
  serial?: Uint8Array;
  inner?: Uint8Array;
  outer?: Uint8Array;
  issuer?: Uint8Array;
  validity?: Uint8Array;
  extensions?: Uint8Array[];
}

/** A certificate by hand, so that each rule can be broken alone; its signature is none. */
function handMade(parts: Parts): Uint8Array {
  const tbs = der.sequence(
    ...(parts.version ?? [der.explicit(0, der.integer(2))]),
    parts.serial ?? der.integer(1),
    parts.inner ?? ECDSA_WITH_SHA256,
    parts.issuer ?? name,
    parts.validity ?? der.sequence(der.time(0), der.time(86_400_000)),
    name,
    spki,
    der.explicit(3, der.sequence(...(parts.extensions ?? [keyUsage]))),
  );
  return der.sequence(tbs, parts.outer ?? ECDSA_WITH_SHA256, der.bitString(Uint8Array.of(1)));
}

describe('reading a certificate', () => {
  let all: Authorities;
  beforeAll(async () => {
    all = await makeAuthorities();
  });

  it('gives what was issued', () => {
    const tenantCa = parseCertificate(all.tenantCa.certificate.der);
    expect(tenantCa.subject.attributes).toEqual([{ type: 'CN', value: 'Test tenant' }]);
    expect(tenantCa.issuer.der).toEqual(all.intermediate.certificate.subject.der);
    expect(tenantCa.basicConstraints).toEqual({ isCa: true, pathLength: 0 });
    expect(tenantCa.keyUsage).toEqual(['keyCertSign', 'cRLSign']);
    expect(tenantCa.authorityKeyId).toEqual(all.intermediate.certificate.subjectKeyId);
    expect(tenantCa.spki).toEqual(all.tenantCa.key.spki);
  });

  it('accepts the one that the refusals below depart from', () => {
    expect(parseCertificate(handMade({})).serial).toBe('01');
  });

  const rsa = der.sequence(der.oid('1.2.840.113549.1.1.11'), der.null());
  const withParameters = der.sequence(der.oid('1.2.840.10045.4.3.2'), der.null());
  it.each<[string, Parts, string]>([
    ['version 1', { version: [] }, 'UnsupportedVersion'],
    ['version 2', { version: [der.explicit(0, der.integer(1))] }, 'UnsupportedVersion'],
    ['serial number 0', { serial: der.integer(0) }, 'BadSerial'],
    ['a negative serial number', { serial: der.integer(-5) }, 'BadSerial'],
    ['a serial number of 21 bytes', { serial: der.integer(new Uint8Array(21).fill(1)) }, 'BadSerial'],
    ['RSA', { inner: rsa, outer: rsa }, 'UnsupportedAlgorithm'],
    [
      'parameters where none belong',
      { inner: withParameters, outer: withParameters },
      'UnsupportedAlgorithm',
    ],
    ['an issuer without a name', { issuer: der.sequence() }, 'BadName'],
    ['an end before its begin', { validity: der.sequence(der.time(86_400_000), der.time(0)) }, 'BadValidity'],
    [
      'a time before 2050 in the long form',
      { validity: der.sequence(der.time(0), der.generalizedTime(1)) },
      'DerBadTime',
    ],
    ['an extension twice', { extensions: [keyUsage, keyUsage] }, 'DuplicateExtension'],
    ['no extension in the list', { extensions: [] }, 'DerTruncated'],
    [
      'a default written out',
      { extensions: [der.sequence(der.oid('1.2.3'), der.boolean(false), der.octetString(new Uint8Array()))] },
      'BadExtension',
    ],
    [
      'a path length of no authority',
      { extensions: [encodeExtension('2.5.29.19', true, der.sequence(der.integer(0)))] },
      'BadExtension',
    ],
    [
      'a key usage of nothing',
      { extensions: [encodeExtension('2.5.29.15', true, der.namedBits())] },
      'BadExtension',
    ],
    [
      'name constraints of nobody',
      { extensions: [encodeExtension('2.5.29.30', true, der.sequence())] },
      'BadExtension',
    ],
    [
      'name constraints of no authority',
      {
        extensions: [
          encodeExtension(
            '2.5.29.30',
            true,
            der.sequence(der.explicit(0, der.sequence(der.implicit(2, Uint8Array.of(0x61))))),
          ),
        ],
      },
      'BadExtension',
    ],
    [
      'bytes behind an extension’s value',
      { extensions: [encodeExtension('2.5.29.15', true, Uint8Array.of(...der.namedBits(0), 0))] },
      'DerTrailingBytes',
    ],
  ])('refuses %s', (_what, parts, code) => {
    expect(() => parseCertificate(handMade(parts))).toThrow(expect.objectContaining({ code }));
  });

  it('refuses more than 16 KiB without looking at it', () => {
    expect(() => parseCertificate(new Uint8Array(16 * 1024 + 1))).toThrow(
      expect.objectContaining({ code: 'CertificateTooLarge' }),
    );
  });

  it('notes critical extensions that it does not process', () => {
    const extensions = [
      encodeExtension('1.2.3', true, der.null()),
      encodeExtension('1.2.4', false, der.null()),
    ];
    expect(parseCertificate(handMade({ extensions })).unprocessed).toEqual(['1.2.3']);
  });
});
