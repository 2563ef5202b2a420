import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { toPem } from './pem.ts';
import {
  ATTESTED,
  makeAuthorities,
  makeIdentity,
  NOW,
  type Authorities,
  type Identity,
} from './testing/authorities.fixture.ts';

let all: Authorities;
beforeAll(async () => {
  all = await makeAuthorities();
});

/** Extensions of RFC 5280 §4.2.1 by the last number of their OID, 2.5.29.n; others would show as their number. */
const STANDARD = new Map([
  [14, 'subjectKeyIdentifier'],
  [15, 'keyUsage'],
  [19, 'basicConstraints'],
  [35, 'authorityKeyIdentifier'],
  [37, 'extendedKeyUsage'],
]);
const IDENTIFIERS = ['subjectKeyIdentifier', 'authorityKeyIdentifier'] as const;
const idsIn = (hex: string): readonly string[] =>
  [...hex.matchAll(/0603551d([0-9a-f]{2})/gu)].map(([, id = '']) => {
    const number = Number.parseInt(id, 16);
    return STANDARD.get(number) ?? String(number);
  });

const seen = (identity: Identity): X509Certificate => new X509Certificate(identity.certificate.der);

describe('certificates as Node reads them', () => {
  it('form the chain root → intermediate → tenant CA → device', () => {
    const [root, intermediate, tenantCa, device] = [all.root, all.intermediate, all.tenantCa, all.device].map(
      seen,
    );
    if (!root || !intermediate || !tenantCa || !device) throw new Error('four certificates');
    expect(root.checkIssued(root) && root.verify(root.publicKey)).toBe(true);
    expect(intermediate.checkIssued(root) && intermediate.verify(root.publicKey)).toBe(true);
    expect(tenantCa.checkIssued(intermediate) && tenantCa.verify(intermediate.publicKey)).toBe(true);
    expect(device.checkIssued(tenantCa) && device.verify(tenantCa.publicKey)).toBe(true);
    expect([root.ca, intermediate.ca, tenantCa.ca, device.ca]).toEqual([true, true, true, false]);
  });

  it('name the device, and what its certificate is for', () => {
    const device = seen(all.device);
    expect(device.subject).toBe(`CN=${'5e'.repeat(32)}`);
    expect(device.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(device.serialNumber.toLowerCase().replace(/^0+/u, '')).toBe(
      all.device.certificate.serial.replace(/^0+/u, ''),
    );
    expect(device.publicKey.export({ type: 'spki', format: 'der' })).toEqual(
      Buffer.from(all.device.key.spki),
    );
  });

  it.each([
    ['root', ['basicConstraints', 'keyUsage', ...IDENTIFIERS]],
    ['tenantCa', ['basicConstraints', 'keyUsage', ...IDENTIFIERS]],
    // And the attestation data, of an arc of its own.
    ['device', ['keyUsage', 'extendedKeyUsage', ...IDENTIFIERS]],
    ['update', ['keyUsage', 'extendedKeyUsage', ...IDENTIFIERS]],
  ] as const)('of %s have these extensions and no others: no CRL, no OCSP', (name, expected) => {
    const hex = Buffer.from(all[name].certificate.tbs).toString('hex');
    expect(idsIn(hex)).toEqual(expected);
    // The arc of authority information access, where OCSP responders are named (RFC 5280 §4.2.2).
    expect(hex).not.toContain('06082b06010505070101');
    expect(seen(all[name]).infoAccess).toBeUndefined();
  });

  it.each([
    ['root', 20],
    ['intermediate', 10],
    ['tenantCa', 2],
    ['updateCa', 2],
  ] as const)('%s lives %i years', (name, years) => {
    const { validFromDate, validToDate } = seen(all[name]);
    expect(validFromDate.getTime()).toBe(NOW - 300_000);
    expect(validToDate).toEqual(new Date(Date.UTC(2026 + years, 10, 22, 12)));
  });

  it('live 24 hours for devices, backdated five minutes', () => {
    expect(all.device.certificate.notBefore).toBe(NOW - 5 * 60_000);
    expect(all.device.certificate.notAfter).toBe(NOW + 24 * 3_600_000);
  });

  it('name hosts in server certificates', async () => {
    const server = seen(
      await makeIdentity('tlsServer', 'device port', all.intermediate, {
        hostNames: ['localhost', '127.0.0.1', '::1'],
      }),
    );
    expect(server.checkHost('localhost')).toBe('localhost');
    expect(server.checkHost('example.org')).toBeUndefined();
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(server.checkIP('::1')).toBe('::1');
  });
});

describe('issuing', () => {
  it('carries the attestation data', () => {
    expect(all.device.certificate.attestation).toEqual(ATTESTED);
    expect(all.update.certificate.attestation).toEqual(ATTESTED);
    expect(all.tenantCa.certificate.attestation).toBeNull();
  });

  it('never outlives its issuer', async () => {
    const late = await makeIdentity('device', 'late', all.tenantCa, {
      now: all.tenantCa.certificate.notAfter - 3_600_000,
      attestation: ATTESTED,
    });
    expect(late.certificate.notAfter).toBe(all.tenantCa.certificate.notAfter);
  });

  it('refuses an issuer that has expired', async () => {
    const now = all.tenantCa.certificate.notAfter;
    await expect(
      makeIdentity('device', 'x', all.tenantCa, { now, attestation: ATTESTED }),
    ).rejects.toMatchObject({ code: 'BadRequest', rule: 'valid now' });
  });

  it('refuses an issuer that is no authority, or may have none below it', async () => {
    await expect(makeIdentity('device', 'x', all.device, { attestation: ATTESTED })).rejects.toMatchObject({
      code: 'BadRequest',
      field: 'issuer',
    });
    await expect(makeIdentity('tenantCa', 'x', all.tenantCa)).rejects.toMatchObject({
      code: 'BadRequest',
      field: 'issuer',
    });
    await expect(makeIdentity('device', 'x', null, { attestation: ATTESTED })).rejects.toMatchObject({
      code: 'BadRequest',
    });
  });

  it('refuses what does not fit the profile', async () => {
    await expect(makeIdentity('device', 'x', all.tenantCa)).rejects.toMatchObject({ field: 'attestation' });
    await expect(
      makeIdentity('tenantCa', 'x', all.intermediate, { attestation: ATTESTED }),
    ).rejects.toMatchObject({ field: 'attestation' });
    await expect(makeIdentity('tlsServer', 'x', all.intermediate)).rejects.toMatchObject({
      field: 'hostNames',
    });
    await expect(
      makeIdentity('tlsServer', 'x', all.intermediate, { hostNames: ['Bad host'] }),
    ).rejects.toMatchObject({ field: 'hostNames' });
    await expect(makeIdentity('root', 'x'.repeat(65), null)).rejects.toMatchObject({ code: 'BadName' });
    const notAKey = all.root.key.spki.slice(0, -1);
    await expect(makeIdentity('root', 'x', null, { publicKey: notAKey })).rejects.toMatchObject({
      code: 'BadKey',
    });
  });

  it('refuses a signature that the issuer’s certificate does not verify', async () => {
    const mixedUp: Identity = {
      ...all.tenantCa,
      issuer: { ...all.tenantCa.issuer, sign: async (message) => all.root.issuer.sign(message) },
    };
    await expect(makeIdentity('device', 'x', mixedUp, { attestation: ATTESTED })).rejects.toMatchObject({
      code: 'BadSignature',
    });
  });
});

/** Whatever OpenSSL the machine has: it judges, and nothing is installed for it. */
const OPENSSL = 'openssl';
const hasOpenssl = spawnSync(OPENSSL, ['version'], { encoding: 'utf8' }).status === 0;
if (!hasOpenssl) process.stderr.write('skipped: no openssl here to judge the chains with\n');

describe.skipIf(!hasOpenssl)('certificates as OpenSSL judges them, strictly', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sevenfold-chain-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function verify(
    leaf: Uint8Array,
    trusted: readonly Identity[],
    untrusted: readonly Identity[],
    extra: readonly string[] = [],
  ): string {
    const file = (name: string, ders: readonly Uint8Array[]): string => {
      const path = join(folder, name);
      writeFileSync(path, toPem('CERTIFICATE', ...ders));
      return path;
    };
    const ders = (identities: readonly Identity[]): readonly Uint8Array[] =>
      identities.map((one) => one.certificate.der);
    const between = untrusted.length === 0 ? [] : ['-untrusted', file('untrusted.pem', ders(untrusted))];
    try {
      const time = String(NOW / 1000);
      const strict = [
        '-x509_strict',
        '-check_ss_sig',
        '-purpose',
        'sslclient',
        '-attime',
        time,
        '-no-CApath',
        '-no-CAstore',
      ];
      const command = [
        'verify',
        ...strict,
        ...extra,
        '-CAfile',
        file('trusted.pem', ders(trusted)),
        ...between,
        file('leaf.pem', [leaf]),
      ];
      return execFileSync(OPENSSL, command, { encoding: 'utf8', stdio: 'pipe' }).includes(': OK')
        ? 'accepted'
        : 'unclear';
    } catch {
      return 'refused';
    }
  }

  it('accepts the whole chain, and the device by its tenant CA alone', () => {
    const { root, intermediate, tenantCa, device } = all;
    expect(verify(device.certificate.der, [root], [intermediate, tenantCa])).toBe('accepted');
    expect(verify(device.certificate.der, [tenantCa], [], ['-partial_chain'])).toBe('accepted');
  });

  it('refuses update certificates where only the tenant CA is known', () => {
    const { root, intermediate, tenantCa, updateCa, update } = all;
    expect(verify(update.certificate.der, [tenantCa], [updateCa, intermediate], ['-partial_chain'])).toBe(
      'refused',
    );
    expect(verify(update.certificate.der, [root], [updateCa, intermediate])).toBe('accepted');
  });

  it('refuses a chain with a part missing, and a certificate with a bit changed', () => {
    const { root, intermediate, tenantCa, device } = all;
    expect(verify(device.certificate.der, [root], [tenantCa])).toBe('refused');
    const tampered = device.certificate.der.slice();
    tampered[tampered.length - 200] = (tampered[tampered.length - 200] ?? 0) ^ 1;
    expect(verify(tampered, [root], [intermediate, tenantCa])).toBe('refused');
  });
});
