import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  generateKeyPair,
  makeOfflineRoot,
  openFileKeyStore,
  openOfflineRoot,
  parseCertificate,
  signIntermediate,
  type KeyCurve,
  type OfflineRoot,
  PublicKey,
} from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openTestService, testClock } from '../test-service.ts';
import { CertificateAuthorities } from './authorities.ts';
import { issueClientCertificate } from './device-certificates.ts';
import { importAnswer, requestIntermediate } from './offline-root.ts';
import { importFromOfflineRoot, initPki, requestFromOfflineRoot } from './pki-folder.ts';

const TENANT = '7e7e0000-0000-4000-8000-000000000001';

let folder: string;
const clock = testClock();
const entropy = { random: (length: number) => crypto.getRandomValues(new Uint8Array(length)) };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sevenfold-offline-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** The machine without network: it sees nothing but what is carried to it. */
async function rootMachine(name = 'root', curve: KeyCurve = 'P-384'): Promise<OfflineRoot> {
  const keys = await openFileKeyStore(join(folder, name));
  return makeOfflineRoot({ keys, now: clock.now(), entropy }, curve);
}

describe('a root on a machine of its own', () => {
  it('certifies the intermediate of a service that never has the root’s key', async () => {
    const options = { dataDir: join(folder, 'service'), clock, entropy };
    const request = await requestFromOfflineRoot(options, 'P-384');
    // Asked for again before the answer came: the same key.
    const root = await rootMachine();
    const early = await signIntermediate(root, request);
    const intermediate = await signIntermediate(root, await requestFromOfflineRoot(options, 'P-384'));
    expect(intermediate.spki).toEqual(early.spki);
    await importFromOfflineRoot(options, [intermediate, root.certificate], false);
    expect(await readdir(join(options.dataDir, 'keys'))).not.toContain('root.1.pem');
    await expect(initPki(options, 'P-256')).rejects.toMatchObject({ code: 'AlreadyExists' });
  });

  it('is the only one that a service believes after its first answer', async () => {
    const service = await openTestService();
    try {
      const authorities = new CertificateAuthorities(service);
      const context = { ...service, authorities };
      const request = await requestIntermediate(context, 'P-256');
      // No root is made behind its back while it is waited for.
      await expect(authorities.ensureAuthorities()).rejects.toMatchObject({ code: 'CertificateUnavailable' });
      const root = await rootMachine('root', 'P-256');
      const intermediate = await signIntermediate({ ...root, now: service.clock.now() }, request);
      await importAnswer(context, [root.certificate, intermediate], false);
      const { chain } = await issueClientCertificate(context, TENANT, {
        deviceId: '5e'.repeat(32),
        publicKey: PublicKey.require(generateKeyPair().spki, 'publicKey', ['P-256']),
        attestation: { verdict: 'trusted', release: null, evidenceDigest: new Uint8Array(32) },
      });
      expect(parseCertificate(chain[2] ?? new Uint8Array()).serial).toBe(intermediate.serial);
      // Without it no other intermediate can be made here.
      await expect(authorities.replaceIntermediate(intermediate.serial, true)).rejects.toMatchObject({
        code: 'CertificateUnavailable',
      });

      const tenantCa = await authorities.ensureTenantCa(TENANT);
      const second = await requestIntermediate(context, 'P-256');
      const impostor = await rootMachine('impostor', 'P-256');
      const forged = await signIntermediate({ ...impostor, now: service.clock.now() }, second);
      const refused = { code: 'Conflict' };
      await expect(importAnswer(context, [impostor.certificate, forged], false)).rejects.toMatchObject(
        refused,
      );
      await expect(importAnswer(context, [root.certificate, forged], false)).rejects.toMatchObject({
        code: 'UnknownIssuer',
      });
      await expect(importAnswer(context, [root.certificate, intermediate], false)).rejects.toMatchObject(
        refused,
      );
      await expect(importAnswer(context, [forged], false)).rejects.toMatchObject(refused);
      const next = await signIntermediate({ ...root, now: service.clock.now() }, second);
      await importAnswer(context, [next, root.certificate], true);
      const again = await authorities.ensureTenantCa(TENANT);
      expect(again.issuerSerial).toBe(next.serial);
      expect(again.certificate.spki).toEqual(tenantCa.certificate.spki);
      await expect(importAnswer(context, [next, root.certificate], true)).rejects.toMatchObject(refused);
    } finally {
      await service.close();
    }
  });

  it('opens with its own key alone', async () => {
    const root = await rootMachine();
    const keys = await openFileKeyStore(join(folder, 'other'));
    await keys.make('some.key');
    await expect(openOfflineRoot({ ...root, keys }, root.certificate.der)).rejects.toMatchObject({
      code: 'BadKey',
    });
    expect((await openOfflineRoot(root, root.certificate.der)).certificate.serial).toBe(
      root.certificate.serial,
    );
  });
});

describe('root and intermediate made before the first start', () => {
  it('can be on P-384, and everything below stays on P-256', async () => {
    const service = await openTestService();
    try {
      const authorities = new CertificateAuthorities(service);
      const intermediate = await authorities.makeRoot('P-384');
      expect(intermediate.certificate.signatureAlgorithm).toBe('1.2.840.10045.4.3.3');
      const tenantCa = await authorities.ensureTenantCa(TENANT);
      expect(tenantCa.certificate.signatureAlgorithm).toBe('1.2.840.10045.4.3.3');
      expect(tenantCa.certificate.spki).toHaveLength(91);
      await expect(authorities.makeRoot('P-384')).rejects.toMatchObject({ code: 'AlreadyExists' });
      await expect(requestIntermediate({ ...service, authorities }, 'P-384')).rejects.toMatchObject({
        code: 'Conflict',
      });
    } finally {
      await service.close();
    }
  });
});
