import { generateKeyPair } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import { createTestDevice } from './testing/test-device.ts';
import { NOW, useWorld } from './testing/world.ts';

const world = useWorld();
const writes = (): number => world.device.memory.credentialWrites;

describe('what the services keep of an attestation', () => {
  it('is written once in ten minutes, however often the service wants to see the device', async () => {
    await world.bootAndCheck();
    expect(writes()).toBe(1);
    for (let round = 0; round < 5; round++) await world.device.gateway('checkNow');
    expect(writes()).toBe(1);
    world.device.clock.advance(600_000);
    await world.device.gateway('checkNow');
    expect(writes()).toBe(2);
  });

  it('goes at once with the trust that it stands for, and comes back with it', async () => {
    await world.bootAndCheck();
    expect(world.device.memory.credentials).not.toBeNull();
    world.service.behaviour.verdict = 'revoked';
    await world.device.gateway('checkNow');
    expect(world.device.memory.credentials).toBeNull();
    world.service.behaviour.verdict = 'trusted';
    world.device.clock.advance(600_000);
    await world.device.gateway('checkNow');
    expect(world.device.memory.credentials).not.toBeNull();
  });

  it('holds no key, and a flash that is full keeps no device from its work', async () => {
    world.device.memory.failing.set('credentialsWrite', { code: 'StorageFull', message: 'full' });
    expect(await world.bootAndCheck()).toMatchObject({ phase: 'idle', lastError: null });
    expect(world.device.log.join('\n')).toContain('the certificates are not kept: StorageFull');
    world.device.memory.failing.clear();
    world.device.clock.advance(600_000);
    await world.device.gateway('checkNow');
    const { credentials, identities } = world.device.memory;
    const { key } = identities.at(-1) as { key: Uint8Array };
    expect(Buffer.from(credentials ?? []).includes(key.subarray(36, 68))).toBe(false);
    expect(credentials?.length).toBeLessThan(32_000);
  });
});

describe('an OS on trial that has lost its trust', () => {
  it('clears what an earlier attempt kept, though it never looked at it', async () => {
    world.service.behaviour.verdict = 'revoked';
    world.device.memory.credentials = Uint8Array.of(1, 2, 3);
    world.device.memory.boot.trial = true;
    await world.bootAndCheck();
    expect(world.device.memory.credentials).toBeNull();
  });
});

describe('an OS that finds certificates of its own', () => {
  it.each([
    ['goes on with them', false, 0],
    ['attests all the same while it is on trial: a cut may have come before it was confirmed', true, 1],
  ])('%s', async (_what, trial, attestations) => {
    const attestationKey = generateKeyPair();
    world.service.endorse(attestationKey.spki);
    const { certStore, planKey } = world.service;
    const make = (startTime = NOW) =>
      createTestDevice({ attestationKey, certStore, planSpki: planKey.spki, startTime });
    const before = make();
    await before.boot();
    await before.gateway('checkNow');
    const after = make(NOW + 3_600_000);
    after.memory.credentials = before.memory.credentials;
    for (const [ticket, key] of before.memory.tickets) after.memory.tickets.set(ticket, key);
    after.memory.boot.trial = trial;
    await before.close();
    const attested = world.service.received.attestations;
    await after.boot();
    await expect.poll(async () => (await after.gateway('status')).phase).toBe('idle');
    expect(world.service.received.attestations - attested).toBe(attestations);
    expect(after.memory.events.includes('healthy')).toBe(trial);
    expect(after.memory.identities).toHaveLength(1);
    await after.close();
  });
});
