import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { fromPem, generateKeyPair, parseCertificate, PublicKey } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openTestService, type TestService } from '../test-service.ts';
import { CertificateAuthorities } from './authorities.ts';
import {
  issueClientCertificate,
  issueUpdateCertificate,
  deviceOfUpdateCertificate,
} from './device-certificates.ts';
import { certificateHandlers } from './routes.ts';

const TENANT = '7e7e0000-0000-4000-8000-000000000001';
const OTHER = '7e7e0000-0000-4000-8000-000000000002';
const YEAR = 366 * 24 * 3_600_000;

let service: TestService;
let authorities: CertificateAuthorities;
beforeEach(async () => {
  service = await openTestService();
  authorities = new CertificateAuthorities(service);
  await authorities.ensureAuthorities();
});
afterEach(() => service.close());

const subject = () => ({
  deviceId: '5e'.repeat(32),
  publicKey: PublicKey.require(generateKeyPair().spki, 'publicKey', ['P-256']),
  attestation: { verdict: 'trusted', release: '26.11.0', evidenceDigest: new Uint8Array(32) } as const,
});
const context = () => ({ ...service, authorities });

describe('the authorities', () => {
  it('are made on first start: root 20 years, intermediate 10, update CA and tenant CA 2', async () => {
    await authorities.ensureTenantCa(TENANT);
    const start = new Date(service.clock.now());
    for (const [kind, tenantId, years] of [
      ['root', null, 20],
      ['intermediate', null, 10],
      ['updateCa', null, 2],
      ['tenantCa', TENANT, 2],
    ] as const) {
      const { certificate } = await authorities.issuing(kind, tenantId);
      expect(new Date(certificate.notAfter).getUTCFullYear()).toBe(start.getUTCFullYear() + years);
      expect(certificate.basicConstraints?.isCa).toBe(true);
    }
  });

  it('have their keys in files that only their owner can read', async () => {
    await authorities.ensureTenantCa(TENANT);
    const folder = join(service.folder, 'keys');
    const files = await readdir(folder);
    expect(files.sort()).toEqual([
      'intermediate.1.pem',
      'root.1.pem',
      `tenant-ca.${TENANT}.1.pem`,
      'update-ca.1.pem',
    ]);
    for (const file of files) expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
  });

  it('are the same ones after a restart', async () => {
    const before = await authorities.ensureTenantCa(TENANT);
    const after = await new CertificateAuthorities(service).ensureTenantCa(TENANT);
    expect(after.certificate.serial).toBe(before.certificate.serial);
  });

  it('go on where a start was killed between key and row', async () => {
    const spki = await service.keys.make(`tenant-ca.${TENANT}.1`);
    expect((await authorities.ensureTenantCa(TENANT)).certificate.spki).toEqual(spki);
  });

  it('are made once when many ask at the same time, in two processes as well', async () => {
    const both = [authorities, new CertificateAuthorities(service)];
    await service.keys.make(`tenant-ca.${TENANT}.1`);
    const made = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => both[index % 2]?.ensureTenantCa(TENANT)),
    );
    expect(new Set(made.map((one) => one?.certificate.serial)).size).toBe(1);
  });

  it('are followed by the next before their certificates would outlive them', async () => {
    const first = await authorities.ensureTenantCa(TENANT);
    const firstUpdate = await issueUpdateCertificate(context(), subject());
    service.clock.advance(first.certificate.notAfter - service.clock.now() - 24 * 3_600_000);
    const second = await authorities.ensureTenantCa(TENANT);
    expect(second.certificate.serial).not.toBe(first.certificate.serial);
    const { certificate } = await issueClientCertificate(context(), TENANT, subject());
    expect(certificate.notAfter - service.clock.now()).toBe(24 * 3_600_000);
    // The device's old update certificate is long over; a new one comes from the next update CA.
    await expect(deviceOfUpdateCertificate(context(), firstUpdate.certificate.der)).rejects.toMatchObject({
      code: 'UpdateCertificateRequired',
    });
    const update = await issueUpdateCertificate(context(), subject());
    expect(await deviceOfUpdateCertificate(context(), update.certificate.der)).toBe('5e'.repeat(32));
  });

  it('go on below a new intermediate where the former has ended, as long as the root is here', async () => {
    const former = await authorities.issuing('intermediate', null);
    service.clock.advance(10 * YEAR);
    const { issuerSerial } = await authorities.ensureTenantCa(OTHER);
    expect(issuerSerial).not.toBe(former.certificate.serial);
    expect(issuerSerial).toBe((await authorities.issuing('intermediate', null)).certificate.serial);
    service.clock.advance(10 * YEAR);
    authorities.forget();
    await expect(authorities.ensureTenantCa(OTHER)).rejects.toMatchObject({ code: 'CertificateUnavailable' });
  });
});

describe('a tenant’s certificates', () => {
  it('are its own alone, with the chain up to the root', async () => {
    const { certificate } = await authorities.ensureTenantCa(TENANT);
    await authorities.ensureTenantCa(OTHER);
    const routes = certificateHandlers({ ...service, authorities });
    const request = { query: undefined, body: undefined, caller: null, requestId: '' };
    const { items } = await routes.certificates({ ...request, params: { tenantId: TENANT } });
    expect(items).toMatchObject([
      { serial: certificate.serial, status: 'Active', subject: `O=Sevenfold, CN=Sevenfold tenant ${TENANT}` },
    ]);
    const { chainPem } = await routes.certificateChain({
      ...request,
      params: { tenantId: TENANT, serial: certificate.serial },
    });
    const chain = fromPem('CERTIFICATE', chainPem).map(parseCertificate);
    expect(chain.map((one) => one.subject.attributes.at(-1)?.value)).toEqual([
      `Sevenfold tenant ${TENANT}`,
      'Sevenfold intermediate',
      'Sevenfold root',
    ]);
    await expect(
      routes.certificateChain({ ...request, params: { tenantId: OTHER, serial: certificate.serial } }),
    ).rejects.toMatchObject({ code: 'NotFound', field: 'serial' });
  });
});
