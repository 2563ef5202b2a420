import { generateKeyPair } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import { createTestDevice, type TestDevice } from './testing/test-device.ts';
import { NOW, useWorld } from './testing/world.ts';

const world = useWorld();

/** A device on trial that cannot reach its service, with or without a rule for that. */
async function offline(healthyAfter?: number): Promise<TestDevice> {
  world.service.behaviour.instead = () => 'cut';
  const { certStore, planKey } = world.service;
  const device = createTestDevice({
    attestationKey: generateKeyPair(),
    certStore: healthyAfter === undefined ? certStore : { ...certStore, healthyAfter },
    planSpki: planKey.spki,
    startTime: NOW,
  });
  device.memory.boot.trial = true;
  await device.boot();
  await device.gateway('checkNow');
  return device;
}

describe('a new OS without its service', () => {
  it('is healthy after the time that the cert store’s rule says, and not before', async () => {
    const device = await offline(600);
    device.clock.advance(599_000);
    await expect.poll(async () => (await device.gateway('status')).phase).toBe('offline');
    expect(device.memory.events).not.toContain('healthy');
    device.clock.advance(1_000);
    await expect.poll(() => device.memory.events).toContain('healthy');
    expect(device.log.join('\n')).toContain('no service for 600 s, but everything runs');
    await device.close();
  });

  it('is not healthy for having run, where there is no such rule', async () => {
    const device = await offline();
    device.clock.advance(3_500_000);
    await expect.poll(async () => (await device.gateway('status')).phase).toBe('offline');
    expect(device.memory.events).not.toContain('healthy');
    await device.close();
  });
});
