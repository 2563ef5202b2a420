import { describe, expect, it } from 'vitest';
import { useWorld } from './testing/world.ts';

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
