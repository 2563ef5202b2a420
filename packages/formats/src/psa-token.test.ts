import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from './bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { decodeSign1 } from './cose.ts';
import {
  decodePsaClaims,
  encodePsaClaims,
  type PsaClaims,
  PSA_PROFILES,
  securityLifecycleState,
} from './psa-token.ts';
import { encodeDiagnostic } from './testing/diagnostic.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';
import { hasVectors, vectorBytes, vectorJson, vectorNames } from './testing/vectors.ts';
import { utf8Decode } from './utf8.ts';

const CLAIMS: PsaClaims = {
  profile: PSA_PROFILES[0],
  nonce: new Uint8Array(32).fill(1),
  instanceId: Uint8Array.from([1, ...new Uint8Array(32).fill(2)]),
  implementationId: new Uint8Array(32).fill(3),
  clientId: 1,
  securityLifecycle: 0x3000,
  bootSeed: new Uint8Array(32).fill(4),
  softwareComponents: [
    {
      measurementType: 'PlutonRuntime',
      measurementValue: new Uint8Array(32).fill(5),
      version: 'pluton 26.11.0;sv=1',
      signerId: new Uint8Array(32).fill(6),
      measurementDescription: 'sha-256',
    },
    { measurementValue: new Uint8Array(32).fill(7), signerId: new Uint8Array(32).fill(8) },
  ],
};

/** Claims with one entry changed (`undefined`: taken away). */
function withClaim(key: number, value: CborValue | undefined): Uint8Array {
  const map = new Map(decodeCbor(encodePsaClaims(CLAIMS)) as ReadonlyMap<number, CborValue>);
  if (value === undefined) map.delete(key);
  else map.set(key, value);
  return encodeCbor(map);
}

describe('PSA token', () => {
  it('reads back what it wrote', () => {
    expect(decodePsaClaims(encodePsaClaims(CLAIMS))).toEqual(CLAIMS);
    const all: PsaClaims = {
      ...CLAIMS,
      clientId: -5,
      certificationReference: '0604565272829-10010',
      verificationServiceIndicator: 'https://verifier.example',
    };
    expect(decodePsaClaims(encodePsaClaims(all))).toEqual(all);
  });

  it.each<[string, Uint8Array, string]>([
    ['no nonce', withClaim(10, undefined), 'MissingField'],
    ['a nonce too short', withClaim(10, new Uint8Array(31)), 'WrongLength'],
    ['a nonce too long', withClaim(10, new Uint8Array(65)), 'TooLong'],
    ['a nonce of 40 bytes', withClaim(10, new Uint8Array(40)), 'WrongLength'],
    ['several nonces', withClaim(10, [new Uint8Array(32), new Uint8Array(32)]), 'WrongType'],
    ['no profile', withClaim(265, undefined), 'MissingField'],
    ['an unknown profile', withClaim(265, 'PSA_IOT_PROFILE_1'), 'UnknownProfile'],
    ['an instance id of another type', withClaim(256, new Uint8Array(33).fill(2)), 'InvalidInstanceId'],
    ['an instance id too short', withClaim(256, new Uint8Array(32).fill(1)), 'WrongLength'],
    ['an implementation id too long', withClaim(2396, new Uint8Array(33)), 'WrongLength'],
    ['a client id of 33 bits', withClaim(2394, 2 ** 32), 'ValueOutOfRange'],
    ['a lifecycle between states', withClaim(2395, 0x3100), 'ValueOutOfRange'],
    ['a lifecycle beyond all states', withClaim(2395, 0x7000), 'ValueOutOfRange'],
    ['a boot seed too short', withClaim(2397, new Uint8Array(7)), 'WrongLength'],
    ['a certification reference of another form', withClaim(2398, '1234567890123'), 'ValueOutOfRange'],
    ['no software components', withClaim(2399, undefined), 'MissingField'],
    ['an empty list of software components', withClaim(2399, []), 'MissingField'],
    [
      'a component without a measurement',
      withClaim(2399, [new Map([[5, new Uint8Array(32)]])]),
      'MissingField',
    ],
    ['a component without a signer', withClaim(2399, [new Map([[2, new Uint8Array(32)]])]), 'MissingField'],
    [
      'a short measurement',
      withClaim(2399, [
        new Map([
          [2, new Uint8Array(31)],
          [5, new Uint8Array(32)],
        ]),
      ]),
      'WrongLength',
    ],
    [
      'more components than it may have',
      withClaim(
        2399,
        Array.from({ length: 33 }, () => new Map()),
      ),
      'TooMany',
    ],
    ['an unknown claim', withClaim(-75000, 0), 'UnknownField'],
  ])('refuses %s', (_what, bytes, code) => {
    expect(codeOf(() => decodePsaClaims(bytes))).toBe(code);
  });

  it('names the security lifecycle states', () => {
    expect([0x0000, 0x00ff, 0x1000, 0x30ab, 0x6000].map(securityLifecycleState)).toEqual([
      'unknown',
      'unknown',
      'assembly-and-test',
      'secured',
      'decommissioned',
    ]);
    expect([0x0100, 0x3f00, 0x6100, 0x7000, 0x10000].map(securityLifecycleState)).toEqual([
      null,
      null,
      null,
      null,
      null,
    ]);
  });

  strictnessSuite({
    name: 'PSA claims',
    samples: [encodePsaClaims(CLAIMS)],
    // Keys may stand in any order: compare what is meant, in our own order.
    decode: (bytes) => ({ claims: decodePsaClaims(bytes), bytes }),
    encode: ({ claims, bytes }) => {
      const again = decodePsaClaims(encodePsaClaims(claims));
      return toHex(encodePsaClaims(again)).length === toHex(bytes).length ? bytes : new Uint8Array(0);
    },
  });
});

describe('PSA_IOT_PROFILE_1', () => {
  const OLD: PsaClaims = { ...CLAIMS, profile: PSA_PROFILES[2], bootSeed: new Uint8Array(32).fill(4) };
  const oldClaim = (key: number, value: CborValue | undefined): Uint8Array => {
    const map = new Map(decodeCbor(encodePsaClaims(OLD)) as ReadonlyMap<number, CborValue>);
    if (value === undefined) map.delete(key);
    else map.set(key, value);
    return encodeCbor(map);
  };

  it('reads back what it wrote, with components and without any', () => {
    expect(decodePsaClaims(encodePsaClaims(OLD))).toEqual(OLD);
    const nothing = { ...OLD, softwareComponents: [] };
    expect(decodePsaClaims(encodePsaClaims(nothing))).toEqual(nothing);
  });

  it('need not say its name', () => {
    expect(decodePsaClaims(oldClaim(-75000, undefined))).toEqual(OLD);
  });

  it.each<[string, Uint8Array, string]>([
    ['another name', oldClaim(-75000, PSA_PROFILES[0]), 'UnknownProfile'],
    ['no boot seed', oldClaim(-75004, undefined), 'MissingField'],
    ['a short boot seed', oldClaim(-75004, new Uint8Array(16)), 'WrongLength'],
    ['components and the claim that there are none', oldClaim(-75007, 1), 'MissingField'],
    ['neither', oldClaim(-75006, undefined), 'MissingField'],
    ['an empty list of components', oldClaim(-75006, []), 'MissingField'],
    ['claims of the later numbering among its own', oldClaim(10, new Uint8Array(32)), 'UnknownField'],
    ['the later profile claim among its own', oldClaim(265, PSA_PROFILES[0]), 'MissingField'],
  ])('refuses %s', (_what, bytes, code) => {
    expect(codeOf(() => decodePsaClaims(bytes))).toBe(code);
  });
});

describe.skipIf(!hasVectors)('tokens that others made', () => {
  it('reads the token of Trusted Firmware-M and its signature verifies', () => {
    const token = decodeSign1(vectorBytes('psatoken', 'tf-m', 'psa-2_0_0_sign1.bin'));
    const claims = decodePsaClaims(token.payload);
    expect(claims).toMatchObject({
      profile: 'http://arm.com/psa/2.0.0',
      clientId: 3002,
      securityLifecycle: 0x3000,
      certificationReference: '0604565272829-10010',
      verificationServiceIndicator: 'www.trustedfirmware.org',
    });
    expect(claims.softwareComponents.map((each) => `${each.measurementType} ${each.version}`)).toEqual([
      'SPE 1.6.0',
      'NSPE 0.0.0',
    ]);
    const key = createPublicKey(utf8Decode(vectorBytes('psatoken', 'tf-m', 'public.pem')));
    expect(verify('sha256', token.toBeSigned, { key, dsaEncoding: 'ieee-p1363' }, token.signature)).toBe(
      true,
    );
  });

  it('refuses what is no COSE_Sign1: a MAC', () => {
    for (const name of ['psa-2_0_0_mac0.bin', 'psa-iot-1_mac0.bin']) {
      expect(codeOf(() => decodeSign1(vectorBytes('psatoken', 'tf-m', name)))).toBe('NotSign1');
    }
  });

  /** The claims that a file in diagnostic notation shows, judged. */
  const judgeDiagnostic = (...path: readonly string[]): string =>
    codeOf(() => decodePsaClaims(encodeDiagnostic(utf8Decode(vectorBytes('psatoken', ...path)))));

  it('judges every claims set in diagnostic notation as its name says', () => {
    const names = vectorNames('psatoken/cbor');
    const judged = Object.fromEntries(names.map((name) => [name, judgeDiagnostic('cbor', name)]));
    expect(judged).toEqual({
      'P1ClaimsAll.diag': 'accepted',
      'P1ClaimsAllNoSwMeasurements.diag': 'accepted',
      'P1ClaimsMandatoryOnly.diag': 'accepted',
      'P1ClaimsMandatoryOnlyNoSwMeasurements.diag': 'accepted',
      'P1ClaimsMissingMandatoryNonce.diag': 'MissingField',
      'P1ClaimsTFM.diag': 'accepted',
      'P2ClaimsAll.diag': 'accepted',
      'P2ClaimsInvalidMultiNonce.diag': 'WrongType',
      'P2ClaimsMandatoryOnly.diag': 'accepted',
      'P2ClaimsMissingMandatoryNonce.diag': 'MissingField',
      'P2ClaimsTFM.diag': 'accepted',
    });
    const accepted = Object.values(judged).filter((code) => code === 'accepted').length;
    console.log(
      `PSA claims (diagnostic notation): ${names.length} sets, ${accepted} accepted, ${names.length - accepted} refused`,
    );
  });

  it('reads the claims of the token of Trusted Firmware-M alike from both notations', () => {
    const shown = decodePsaClaims(
      encodeDiagnostic(utf8Decode(vectorBytes('psatoken', 'tf-m', 'psa-2_0_0_claims.diag'))),
    );
    const { payload } = decodeSign1(vectorBytes('psatoken', 'tf-m', 'psa-2_0_0_sign1.bin'));
    expect({ ...shown, softwareComponents: [] }).toEqual({
      ...decodePsaClaims(payload),
      softwareComponents: [],
    });
  });

  it('reads the token of Trusted Firmware-M in the older profile', () => {
    const token = decodeSign1(vectorBytes('psatoken', 'tf-m', 'psa-iot-1_sign1.bin'));
    expect(decodePsaClaims(token.payload).profile).toBe('PSA_IOT_PROFILE_1');
    const key = createPublicKey(utf8Decode(vectorBytes('psatoken', 'tf-m', 'public.pem')));
    expect(verify('sha256', token.toBeSigned, { key, dsaEncoding: 'ieee-p1363' }, token.signature)).toBe(
      true,
    );
    console.log(`PSA tokens of TF-M: 4 files, 2 COSE_Sign1 read, 2 COSE_Mac0 refused`);
  });

  /** The same for the JSON files, which name claims instead of numbering them. */
  const CLAIM_OF: Readonly<Record<string, number>> = {
    'psa-nonce': 10,
    'psa-instance-id': 256,
    'eat-profile': 265,
    eat_profile: 265,
    'psa-client-id': 2394,
    'psa-security-lifecycle': 2395,
    'psa-implementation-id': 2396,
    'psa-boot-seed': 2397,
    'psa-certification-reference': 2398,
    'psa-software-components': 2399,
    'psa-verification-service-indicator': 2400,
  };
  const PROFILE_1_CLAIM_OF: Readonly<Record<string, number>> = {
    'psa-profile': -75000,
    'psa-client-id': -75001,
    'psa-security-lifecycle': -75002,
    'psa-implementation-id': -75003,
    'psa-boot-seed': -75004,
    'psa-hwver': -75005,
    'psa-certification-reference': -75005,
    'psa-software-components': -75006,
    'psa-no-software-measurements': -75007,
    'psa-nonce': -75008,
    'psa-instance-id': -75009,
    'psa-verification-service-indicator': -75010,
  };
  const COMPONENT_OF: Readonly<Record<string, number>> = {
    'measurement-type': 1,
    'measurement-value': 2,
    version: 4,
    'signer-id': 5,
    'measurement-description': 6,
  };
  const TEXTS: ReadonlySet<string> = new Set([
    'eat-profile',
    'psa-profile',
    'psa-hwver',
    'psa-certification-reference',
    'psa-verification-service-indicator',
    'measurement-type',
    'version',
    'measurement-description',
  ]);
  function fromJson(json: object, keys: Readonly<Record<string, number>>): CborValue {
    const map = new Map<number, CborValue>();
    for (const [name, value] of Object.entries(json)) {
      const key = keys[name];
      if (key === undefined) continue;
      if (typeof value === 'string')
        map.set(key, TEXTS.has(name) ? value : Uint8Array.from(Buffer.from(value, 'base64')));
      else if (Array.isArray(value))
        map.set(
          key,
          value.map((item: object) => fromJson(item, COMPONENT_OF)),
        );
      else map.set(key, value as CborValue);
    }
    return map;
  }
  const judge = (name: string, keys: Readonly<Record<string, number>> = CLAIM_OF): string =>
    codeOf(() => decodePsaClaims(encodeCbor(fromJson(vectorJson('psatoken', 'json', name) as object, keys))));

  it('accepts the full claims set of the second profile, and the minimal one', () => {
    expect(judge('test-token-valid-full.json')).toBe('accepted');
    expect(judge('test-token-valid-minimalist-p2.json')).toBe('accepted');
  });

  it('judges every claims set as one of the first profile', () => {
    const names = vectorNames('psatoken/json');
    const accepted = names
      .filter((name) => judge(name, PROFILE_1_CLAIM_OF) === 'accepted')
      .map((name) => name.replaceAll(/^test-|\.json$/g, ''));
    expect(accepted).toEqual([
      // Mandatory in the later profiles only: here the name may be left out.
      'profile-invalid-missing',
      'profile-valid-missing',
      'token-valid-full',
      'token-valid-minimalist-no-sw-measurements',
      'token-valid-minimalist-p1',
    ]);
    console.log(
      `PSA claims (JSON): ${names.length} sets in two profiles, ${accepted.length} accepted in the first`,
    );
  });

  it('refuses every invalid claims set, each for its own reason', () => {
    const names = vectorNames('psatoken/json').filter((name) => name.includes('invalid'));
    expect(
      Object.fromEntries(names.map((name) => [name.replace(/^test-|\.json$/g, ''), judge(name)])),
    ).toEqual({
      'boot-seed-invalid-long': 'TooLong',
      // Mandatory in the first profile only (RFC 9783 §4.3.3).
      'boot-seed-invalid-missing': 'accepted',
      'boot-seed-invalid-short': 'WrongLength',
      'client-id-invalid-missing': 'MissingField',
      'hardware-version-invalid': 'ValueOutOfRange',
      'implementation-id-invalid-long': 'WrongLength',
      'implementation-id-invalid-missing': 'MissingField',
      'implementation-id-invalid-short': 'WrongLength',
      'instance-id-invalid-euid-type': 'InvalidInstanceId',
      'instance-id-invalid-long': 'WrongLength',
      'instance-id-invalid-missing': 'MissingField',
      'instance-id-invalid-short': 'WrongLength',
      'nonce-invalid-long': 'TooLong',
      'nonce-invalid-missing': 'MissingField',
      'nonce-invalid-short': 'WrongLength',
      'profile-invalid-missing': 'MissingField',
      'profile-invalid-unknown': 'UnknownProfile',
      'security-lifecycle-invalid-missing': 'MissingField',
      'security-lifecycle-invalid-state': 'ValueOutOfRange',
      'sw-component-measurement-value-invalid-missing': 'MissingField',
      'sw-component-measurement-value-invalid-short': 'WrongLength',
      'sw-component-signer-id-invalid-missing': 'MissingField',
      'sw-component-signer-id-invalid-short': 'WrongLength',
      'sw-components-invalid-combo': 'MissingField',
      'sw-components-invalid-missing': 'MissingField',
      'vsi-invalid-empty': 'ValueOutOfRange',
    });
  });
});
