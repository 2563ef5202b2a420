import { makeOfflineRoot, openFileKeyStore, signIntermediate } from '@sevenfold/pki';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openTestService, type TestService } from '../test-service.ts';
import { CertificateAuthorities } from './authorities.ts';
import { importAnswer, requestIntermediate } from './offline-root.ts';
import { RENEWED_BEFORE_END_MS, renewIntermediate, type EndingAuthority } from './renew-intermediate.ts';

const TENANT = '7e7e0000-0000-4000-8000-000000000001';
const LATER = '7e7e0000-0000-4000-8000-000000000002';
const DAY = 24 * 3_600_000;
const YEAR = 365 * DAY;

let service: TestService;
let authorities: CertificateAuthorities;
beforeEach(async () => {
  service = await openTestService();
  authorities = new CertificateAuthorities(service);
});
afterEach(() => service.close());

const renew = (): Promise<EndingAuthority | null> => renewIntermediate({ ...service, authorities });
const intermediate = async () => (await authorities.issuing('intermediate', null)).certificate;
const advanceTo = (moment: number): void => service.clock.advance(moment - service.clock.now());

describe('the intermediate', () => {
  it('is followed by the next in time, and no tenant’s CA is ever cut short by it', async () => {
    await authorities.ensureAuthorities();
    const first = await intermediate();
    advanceTo(first.notAfter - RENEWED_BEFORE_END_MS - 1);
    expect(await renew()).toBeNull();
    expect((await intermediate()).serial).toBe(first.serial);
    const before = await authorities.ensureTenantCa(TENANT);
    expect(before.issuerSerial).toBe(first.serial);
    advanceTo(first.notAfter - RENEWED_BEFORE_END_MS);
    expect(await renew()).toBeNull();
    const second = await intermediate();
    expect(second.notAfter - first.notAfter).toBeGreaterThan(7 * YEAR);
    // What the former has certified goes on to count, and the next is not followed at once by another.
    expect((await authorities.ofTenant(TENANT)).map(({ status }) => status)).toEqual(['Active']);
    expect(await renew()).toBeNull();
    expect((await intermediate()).serial).toBe(second.serial);
    const after = await authorities.ensureTenantCa(LATER);
    expect(after.issuerSerial).toBe(second.serial);
    expect(after.notAfter - service.clock.now()).toBeGreaterThanOrEqual(2 * YEAR);
  });

  it('is renewed for as long as its root lives, and then somebody is told, again and again', async () => {
    await authorities.ensureAuthorities();
    const root = (await authorities.issuing('root', null)).certificate;
    const serials = new Set<string>();
    let told: EndingAuthority | null = null;
    while (service.clock.now() < root.notAfter - 90 * DAY) {
      told = await renew();
      serials.add((await intermediate()).serial);
      if (told !== null) expect(told).toMatchObject({ serial: root.serial, endsAt: root.notAfter });
      service.clock.advance(90 * DAY);
    }
    expect(told).not.toBeNull();
    expect(serials.size).toBe(3);
  });

  it('whose root is elsewhere stays, and whoever runs the service is told what to do', async () => {
    const context = { ...service, authorities };
    const keys = await openFileKeyStore(join(service.folder, 'elsewhere'));
    const root = await makeOfflineRoot({ ...service, keys, now: service.clock.now() }, 'P-256');
    const answer = await signIntermediate(root, await requestIntermediate(context, 'P-256'));
    await importAnswer(context, [root.certificate, answer], false);
    expect(await renew()).toBeNull();
    advanceTo(answer.notAfter - RENEWED_BEFORE_END_MS);
    const told = await renew();
    expect(told).toMatchObject({ serial: answer.serial, endsAt: answer.notAfter });
    expect(told?.remedy).toContain('pki import');
    expect((await intermediate()).serial).toBe(answer.serial);
    const later = { ...root, now: service.clock.now() };
    const next = await signIntermediate(later, await requestIntermediate(context, 'P-256'));
    await importAnswer(context, [root.certificate, next], false);
    expect(await renew()).toBeNull();
    expect((await intermediate()).serial).toBe(next.serial);
  });
});
