import { generateKeyPair, principalIdOf } from '@sevenfold/pki';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestService, type TestService } from '../test-service.ts';
import { enrol, ensureFirstAdministratorToken, invite, sweepEnrolmentTokens } from './enrol.ts';
import { listPrincipals } from './principals.ts';

const INVALID = { code: 'EnrolmentTokenInvalid', field: 'token' };

describe('enrolling', () => {
  let service: TestService;
  beforeEach(async () => {
    service = await openTestService();
  });
  afterEach(() => service.close());

  const newKey = (): Uint8Array => generateKeyPair().spki;
  const first = async (): Promise<string> => (await ensureFirstAdministratorToken(service)) ?? '';
  const everybody = async (): Promise<number> => {
    const all = { principalId: '', name: '', role: 'Administrator', tenantId: null, createdAt: 0 } as const;
    return (await listPrincipals(service, all, {})).items.length;
  };

  it('makes the first Administrator of the whole service, once', async () => {
    const token = await first();
    const spki = newKey();
    const ada = await enrol(service, { token, name: 'Ada', spki });
    expect(ada).toMatchObject({ name: 'Ada', role: 'Administrator', tenantId: null });
    expect(ada.principalId).toBe(principalIdOf(spki));
    expect(await ensureFirstAdministratorToken(service)).toBeNull();
    await expect(enrol(service, { token, name: 'Eve', spki: newKey() })).rejects.toMatchObject(INVALID);
    expect(await everybody()).toBe(1);
  });

  it('answers the same to the same key again, for whoever did not hear the first answer', async () => {
    const request = { token: await first(), name: 'Ada', spki: newKey() };
    const once = await enrol(service, request);
    // … not even when the service was started again in between.
    expect(await ensureFirstAdministratorToken(service)).toBeNull();
    expect(await enrol(service, request)).toEqual(once);
    expect(await everybody()).toBe(1);
  });

  it('makes a new first token at each start, and the one before it worthless', async () => {
    const old = await first();
    const token = await first();
    expect(token).not.toBe(old);
    await expect(enrol(service, { token: old, name: 'Ada', spki: newKey() })).rejects.toMatchObject(INVALID);
    await enrol(service, { token, name: 'Ada', spki: newKey() });
  });

  it('is over after ten minutes', async () => {
    const token = await first();
    service.clock.advance(10 * 60_000);
    await expect(enrol(service, { token, name: 'Ada', spki: newKey() })).rejects.toMatchObject(INVALID);
    expect(await everybody()).toBe(0);
  });

  it('refuses a token that was never made, and keys that are none', async () => {
    await expect(
      enrol(service, { token: 'A'.repeat(43), name: 'Eve', spki: newKey() }),
    ).rejects.toMatchObject(INVALID);
    const token = await first();
    await expect(enrol(service, { token, name: 'Ada', spki: new Uint8Array(91) })).rejects.toMatchObject({
      code: 'InvalidPublicKey',
      field: 'publicKey',
    });
  });

  it('invites with a role and a tenant; a key is one principal', async () => {
    const tenantId = '6f1b0d6e-0000-4000-8000-000000000001';
    const spki = newKey();
    const { token } = await invite(service, { role: 'Reader', tenantId });
    expect(await enrol(service, { token, name: 'Rob', spki })).toMatchObject({ role: 'Reader', tenantId });
    const { token: second } = await invite(service, { role: 'Administrator', tenantId });
    await expect(enrol(service, { token: second, name: 'Rob', spki })).rejects.toMatchObject({
      code: 'AlreadyExists',
      field: 'publicKey',
    });
  });

  it('keeps no token, and forgets digests that nobody can use', async () => {
    const token = await first();
    const rows = async () =>
      (await sql<object>`select * from ${sql.table('enrolmentTokens')}`.execute(service.store.read)).rows;
    const kept = JSON.stringify(await rows());
    expect(kept).not.toContain(token);
    expect(kept).not.toContain(Buffer.from(token, 'base64url').toString('hex'));
    service.clock.advance(10 * 60_000);
    await sweepEnrolmentTokens(service);
    expect(await rows()).toEqual([]);
  });
});
