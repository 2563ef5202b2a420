import {
  generateKeyPair,
  parseCertificate,
  parseCertificateBag,
  verifyChain,
  type Certificate,
  PublicKey,
} from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openTestService, type TestService } from '../test-service.ts';
import { CertificateAuthorities } from './authorities.ts';
import {
  deviceOfUpdateCertificate,
  issueClientCertificate,
  issueUpdateCertificate,
  type IssuedCertificate,
} from './device-certificates.ts';
import { activeUntil } from './life-cycle.ts';
import { provePossession } from './proof-of-possession.ts';
import { certificateHandlers } from './routes.ts';

const TENANT = '7e7e0000-0000-4000-8000-000000000001';
const OTHER = '7e7e0000-0000-4000-8000-000000000002';
const DEVICE = '5e'.repeat(32);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let service: TestService;
let authorities: CertificateAuthorities;
beforeEach(async () => {
  service = await openTestService();
  authorities = new CertificateAuthorities(service);
  await authorities.ensureAuthorities();
});
afterEach(() => service.close());

const context = () => ({ ...service, authorities });
const issue = (tenantId = TENANT): Promise<IssuedCertificate> =>
  issueClientCertificate(context(), tenantId, {
    deviceId: DEVICE,
    publicKey: PublicKey.require(generateKeyPair().spki, 'publicKey', ['P-256']),
    attestation: { verdict: 'trusted', release: null, evidenceDigest: new Uint8Array(32) },
  });

/** A broker or cloud: it knows what was registered and judges what a device shows. */
function accepts(registered: readonly Certificate[], { chain }: IssuedCertificate): boolean {
  const [leaf, ...intermediates] = chain.map(parseCertificate);
  if (leaf === undefined) return false;
  try {
    verifyChain({ leaf, intermediates, roots: registered, now: service.clock.now(), purpose: 'clientAuth' });
    return true;
  } catch {
    return false;
  }
}

const statuses = async (): Promise<string[]> => {
  await authorities.ensureTenantCa(TENANT);
  return (await authorities.ofTenant(TENANT)).map(({ status }) => status);
};

describe('a tenant’s CA', () => {
  it('is followed by the next 90 days before its end, which issues 45 days later', async () => {
    const first = await authorities.ensureTenantCa(TENANT);
    const madeAt = first.notAfter - 90 * DAY;
    service.clock.advance(madeAt - service.clock.now() - 1);
    expect(await statuses()).toEqual(['Active']);
    service.clock.advance(1);
    expect(await statuses()).toEqual(['Inactive', 'Active']);
    const [next] = await authorities.ofTenant(TENANT);
    expect(next?.activeFrom).toBe(madeAt + 45 * DAY);
    service.clock.advance(45 * DAY - 1);
    expect(await statuses()).toEqual(['Inactive', 'Active']);
    service.clock.advance(1);
    expect(await statuses()).toEqual(['Active', 'Retired']);
    service.clock.advance(500 * DAY);
    expect(await statuses()).toEqual(['Active', 'Retired']);
  });

  it('that is made late, since the service was off, issues before the one before it ends', async () => {
    const first = await authorities.ensureTenantCa(TENANT);
    service.clock.advance(first.notAfter - service.clock.now() - 10 * DAY);
    expect(await statuses()).toEqual(['Inactive', 'Active']);
    const [next] = await authorities.ofTenant(TENANT);
    expect(next?.activeFrom).toBe(first.notAfter - 2 * DAY);
  });

  it('rolls over with devices in the field, none of them refused by whom both are registered', async () => {
    await authorities.ensureTenantCa(TENANT);
    const registered: Certificate[] = [];
    const issuers = new Set<string>();
    let shown: IssuedCertificate[] = [];
    let refused = 0;
    // Six years of devices that come back every 8 hours and show what they have until it ends. Days on which no CA
    // changes are like any other, so most of them are passed over.
    const end = service.clock.now() + 6 * 365 * DAY;
    let changedAt = service.clock.now();
    while (service.clock.now() < end) {
      const now = service.clock.now();
      await authorities.ensureAuthorities();
      const all = await authorities.ofTenant(TENANT);
      // A person who looks now and then registers what is new: here while it is Inactive, weeks before it issues.
      for (const { certificate, status } of all) {
        const isNew = registered.every(({ serial }) => serial !== certificate.serial);
        if (isNew && (status === 'Inactive' || registered.length === 0)) registered.push(certificate);
      }
      const issued = await issue();
      const issuer = parseCertificate(issued.chain[1] ?? new Uint8Array()).serial;
      if (!issuers.has(issuer)) changedAt = now;
      issuers.add(issuer);
      shown = [...shown, issued].filter(({ certificate }) => certificate.notAfter >= now);
      refused += shown.filter((one) => !accepts(registered, one)).length;
      const isNearChange = activeUntil(all, now) - now < 6 * DAY || now - changedAt < 2 * DAY;
      service.clock.advance(isNearChange ? 8 * HOUR : 5 * DAY);
    }
    expect(refused).toBe(0);
    expect(registered).toHaveLength(4);
    expect(issuers.size).toBe(4);
  });

  it('and the next can both be downloaded, each with its chain', async () => {
    const first = await authorities.ensureTenantCa(TENANT);
    service.clock.advance(first.notAfter - service.clock.now() - 80 * DAY);
    const routes = certificateHandlers(context());
    const request = { query: undefined, caller: null, requestId: '' };
    const { items } = await routes.certificates({
      ...request,
      body: undefined,
      params: { tenantId: TENANT },
    });
    expect(items.map(({ status }) => status)).toEqual(['Inactive', 'Active']);
    for (const { serial } of items) {
      const params = { tenantId: TENANT, serial };
      const { cer } = await routes.certificate({ ...request, body: undefined, params });
      expect(parseCertificate(Buffer.from(cer, 'base64')).serial).toBe(serial);
      const { p7b } = await routes.certificateChain({ ...request, body: undefined, params });
      expect(parseCertificateBag(Buffer.from(p7b, 'base64'))).toHaveLength(3);
      const body = { nonce: '1A2B3C4D' };
      const proof = await routes.proveCertificate({ ...request, params, body });
      const proven = parseCertificate(Buffer.from(proof.cer, 'base64'));
      expect(proven.notAfter - service.clock.now()).toBe(HOUR);
      expect(proven.subject.attributes).toEqual([{ type: 'CN', value: '1A2B3C4D' }]);
    }
  });

  it('gets its next one from the service’s own round, for every tenant, whatever fails for one', async () => {
    const { notAfter } = await authorities.ensureTenantCa(TENANT);
    await authorities.ensureTenantCa(OTHER);
    service.clock.advance(notAfter - service.clock.now() - 89 * DAY);
    const broken = new CertificateAuthorities({
      ...service,
      keys: {
        make: async (name, curve) => {
          if (name.includes(TENANT)) throw new Error('the key store is full');
          return service.keys.make(name, curve);
        },
        public: async (name) => service.keys.public(name),
        sign: async (name, message) => service.keys.sign(name, message),
      },
    });
    await expect(broken.ensureAuthorities()).rejects.toThrow('the key store is full');
    const statusesOf = async (tenantId: string): Promise<string[]> =>
      (await authorities.ofTenant(tenantId)).map(({ status }) => status);
    expect(await statusesOf(TENANT)).toEqual(['Active']);
    expect(await statusesOf(OTHER)).toEqual(['Inactive', 'Active']);
    await authorities.ensureAuthorities();
    await authorities.ensureAuthorities();
    expect(await statusesOf(TENANT)).toEqual(['Inactive', 'Active']);
    expect(await statusesOf(OTHER)).toEqual(['Inactive', 'Active']);
  });

  it('that is taken back counts no more, and another one issues at once', async () => {
    const first = await authorities.ensureTenantCa(TENANT);
    const before = await issue();
    const { serial } = first.certificate;
    await expect(authorities.revokeTenantCa(OTHER, serial)).rejects.toMatchObject({ code: 'NotFound' });
    const next = await authorities.revokeTenantCa(TENANT, serial);
    expect(await statuses()).toEqual(['Active', 'Revoked']);
    const valid = (await authorities.valid('tenantCa', TENANT)).map(({ certificate }) => certificate);
    expect(valid.map((one) => one.serial)).toEqual([next.certificate.serial]);
    expect(accepts(valid, before)).toBe(false);
    expect(accepts(valid, await issue())).toBe(true);
    await expect(provePossession(context(), TENANT, serial, 'nonce')).rejects.toMatchObject({
      code: 'CertificateUnavailable',
    });
  });
});

describe('a proof of possession', () => {
  it('is signed by the CA and is no certificate for a client', async () => {
    const { certificate } = await authorities.ensureTenantCa(TENANT);
    const proof = await provePossession(context(), TENANT, certificate.serial, DEVICE);
    const query = { leaf: proof, intermediates: [], roots: [certificate], now: service.clock.now() };
    expect(verifyChain({ ...query, purpose: null })).toHaveLength(2);
    expect(() => verifyChain({ ...query, purpose: 'clientAuth' })).toThrow(
      expect.objectContaining({ code: 'WrongKeyUsage' }),
    );
  });

  it('is never given for another tenant’s CA', async () => {
    const { certificate } = await authorities.ensureTenantCa(TENANT);
    await expect(provePossession(context(), OTHER, certificate.serial, 'nonce')).rejects.toMatchObject({
      code: 'NotFound',
    });
  });
});

describe('nothing of one tenant', () => {
  it('is accepted by a relying party of another, nor as an update certificate, at any time of a roll-over', async () => {
    const first = await authorities.ensureTenantCa(TENANT);
    await authorities.ensureTenantCa(OTHER);
    for (const moment of [0, first.notAfter - 80 * DAY, first.notAfter - 40 * DAY]) {
      service.clock.advance(Math.max(0, moment - service.clock.now()));
      await authorities.ensureAuthorities();
      const issued = { [TENANT]: await issue(TENANT), [OTHER]: await issue(OTHER) };
      for (const [tenantId, one] of Object.entries(issued)) {
        const registered = async (tenant: string): Promise<Certificate[]> =>
          (await authorities.valid('tenantCa', tenant)).map(({ certificate }) => certificate);
        expect(accepts(await registered(tenantId), one)).toBe(true);
        expect(accepts(await registered(tenantId === TENANT ? OTHER : TENANT), one)).toBe(false);
        await expect(deviceOfUpdateCertificate(context(), one.certificate.der)).rejects.toMatchObject({
          code: 'UpdateCertificateRequired',
        });
        // The CAs of the chain open nothing either.
        for (const above of one.chain.slice(1)) {
          await expect(deviceOfUpdateCertificate(context(), above)).rejects.toMatchObject({
            code: 'UpdateCertificateRequired',
          });
        }
      }
      const subject = {
        deviceId: DEVICE,
        publicKey: PublicKey.require(generateKeyPair().spki, 'publicKey', ['P-256']),
        attestation: { verdict: 'trusted', release: null, evidenceDigest: new Uint8Array(32) },
      } as const;
      const update = await issueUpdateCertificate(context(), subject);
      for (const tenantId of [TENANT, OTHER]) {
        const known = (await authorities.valid('tenantCa', tenantId)).map(({ certificate }) => certificate);
        expect(accepts(known, update)).toBe(false);
      }
    }
  });
});

describe('a compromised intermediate', () => {
  it('is replaced: same keys below it, new certificates, and no device is refused meanwhile', async () => {
    const tenantCa = await authorities.ensureTenantCa(TENANT);
    const other = await authorities.ensureTenantCa(OTHER);
    const before = await issue();
    const former = await authorities.issuing('intermediate', null);
    await expect(authorities.replaceIntermediate('ab', true)).rejects.toMatchObject({ code: 'Conflict' });
    const next = await authorities.replaceIntermediate(former.certificate.serial, true);
    expect(next.certificate.spki).not.toEqual(former.certificate.spki);
    const again = await authorities.ensureTenantCa(TENANT);
    expect(again.certificate.serial).not.toBe(tenantCa.certificate.serial);
    expect(again.certificate.spki).toEqual(tenantCa.certificate.spki);
    expect(again.certificate.subject.der).toEqual(tenantCa.certificate.subject.der);
    expect((await authorities.ofTenant(TENANT)).map(({ status }) => status)).toEqual(['Active', 'Revoked']);
    expect((await authorities.ofTenant(OTHER)).map(({ status }) => status)).toEqual(['Active', 'Revoked']);
    const after = await issue();
    // Whoever registered the former certificate of the CA, and whoever registered the new one.
    for (const registered of [tenantCa.certificate, again.certificate]) {
      expect(accepts([registered], before)).toBe(true);
      expect(accepts([registered], after)).toBe(true);
      expect(accepts([other.certificate], after)).toBe(false);
    }
    // The chain that is shown from now on does not hold the former one.
    const serials = after.chain.map((one) => parseCertificate(one).serial);
    expect(serials).toContain(next.certificate.serial);
    expect(serials).not.toContain(former.certificate.serial);
    const root = (await authorities.issuing('root', null)).certificate;
    expect(accepts([root], after)).toBe(true);
  });

  it('is replaced to the end even where that was cut off in the middle', async () => {
    const tenantCa = await authorities.ensureTenantCa(TENANT);
    const former = await authorities.issuing('intermediate', null);
    let writes = 0;
    const dying = {
      ...service,
      store: new Proxy(service.store, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target);
          if (name !== 'write' || typeof value !== 'function') return value;
          return (...args: unknown[]): unknown => {
            writes += 1;
            // New intermediate, revocation of the former, then the first CA below it.
            if (writes > 3) throw new Error('the power is off');
            return Reflect.apply(value, target, args);
          };
        },
      }),
    };
    const cutOff = new CertificateAuthorities(dying);
    await expect(cutOff.replaceIntermediate(former.certificate.serial, true)).rejects.toThrow('power');
    authorities = new CertificateAuthorities(service);
    await authorities.ensureAuthorities();
    const valid = await authorities.valid('tenantCa', TENANT);
    expect(valid).toHaveLength(1);
    expect(valid[0]?.certificate.spki).toEqual(tenantCa.certificate.spki);
    expect(valid[0]?.certificate.serial).not.toBe(tenantCa.certificate.serial);
  });

  it('that was merely replaced goes on to vouch for what it has certified', async () => {
    await authorities.ensureTenantCa(TENANT);
    const { certificate } = await authorities.issuing('intermediate', null);
    service.clock.advance(DAY);
    await authorities.replaceIntermediate(certificate.serial, false);
    expect(await statuses()).toEqual(['Active']);
    const fresh = await authorities.ensureTenantCa(OTHER);
    const issuer = await authorities.issuing('intermediate', null);
    expect(fresh.issuerSerial).toBe(issuer.certificate.serial);
    expect(issuer.certificate.serial).not.toBe(certificate.serial);
  });
});
