import { describe, expect, it } from 'vitest';
import { problem } from './testing/device-service.ts';
import { useWorld } from './testing/world.ts';

const world = useWorld();

describe('the gateway', () => {
  it('answers the gateway, and nobody else', async () => {
    await world.device.boot();
    await expect(world.device.gateway('status', 'compartment:1')).rejects.toMatchObject({
      code: 'CallerNotAllowed',
    });
    await expect(world.device.gateway('toString')).rejects.toMatchObject({ code: 'UnknownCall' });
    await expect(world.device.gateway('restart')).rejects.toMatchObject({ code: 'UnknownCall' });
  });

  it('runs one round at a time, and a new one for whoever asks meanwhile', async () => {
    await world.device.boot();
    const [first, second] = await Promise.all([
      world.device.gateway('checkNow'),
      world.device.gateway('checkNow'),
    ]);
    expect(first.phase).toBe('idle');
    expect(second.phase).toBe('idle');
    expect(world.service.received.attestations).toBeLessThanOrEqual(2);
  });

  it('comes back when the service said', async () => {
    world.service.behaviour.planNextCheck = 120;
    const status = await world.bootAndCheck();
    const wait = status.nextCheck - world.device.clock.now();
    expect(wait).toBeGreaterThanOrEqual(120_000);
    expect(wait).toBeLessThanOrEqual(126_000);
    const before = world.service.received.plans.length;
    world.device.clock.advance(60_001);
    world.device.clock.advance(66_000);
    await expect.poll(() => world.service.received.plans.length).toBeGreaterThan(before);
    expect(world.service.received.attestations).toBe(2);
  });
});

describe('when the service is of no use', () => {
  it('says offline, keeps asking less and less often, and recovers by itself', async () => {
    world.service.behaviour.instead = () => 'cut';
    const status = await world.bootAndCheck();
    expect(status).toMatchObject({ phase: 'offline', verdict: null });
    expect(status.lastError).toContain('ConnectionLost');
    world.service.behaviour.instead = () => null;
    world.device.clock.advance(status.nextCheck - world.device.clock.now() + 1);
    await expect.poll(async () => (await world.device.gateway('status')).phase).toBe('idle');
  });

  it('keeps the certificates it has while the service is down', async () => {
    const before = await world.bootAndCheck();
    world.service.behaviour.instead = () => 'cut';
    const after = await world.device.gateway('checkNow');
    expect(after).toMatchObject({ phase: 'offline', verdict: 'trusted', clientChain: before.clientChain });
    expect(world.device.memory.identities.at(-1)).not.toBeNull();
  });

  it('keeps an appointment', async () => {
    world.service.behaviour.instead = () => problem(503, 'Busy', 'Come later.', 600);
    const status = await world.bootAndCheck();
    expect(status.lastError).toBe('ServiceRefused: The service refused: Busy: Come later.');
    expect(status.nextCheck - world.device.clock.now()).toBeGreaterThanOrEqual(599_000);
  });

  const garbage: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', new Uint8Array()],
    ['noise', new Uint8Array(500).fill(0x5a)],
    ['HTML', Buffer.from('<html>It works!</html>')],
    ['more than anybody wants', new Uint8Array(3_000_000)],
    ['more than the network takes', new Uint8Array(5_000_000)],
  ];
  it.each(garbage)('survives %s for an answer, anywhere', async (_what, body) => {
    for (const path of ['/device/v1/attest', '/device/v1/plan', '/device/v1/reports']) {
      world.service.behaviour.instead = (asked) => (asked === path ? { status: 200, body } : null);
      world.queue(1);
      const status = path.endsWith('attest')
        ? await world.bootAndCheck()
        : await world.device.gateway('checkNow');
      expect(status.phase).toBe('offline');
      expect(status.lastError).not.toBeNull();
      expect(status.queuedReports).toBeGreaterThan(0);
    }
    world.service.behaviour.instead = () => null;
    expect(await world.device.gateway('checkNow')).toMatchObject({
      phase: 'idle',
      lastError: null,
      queuedReports: 0,
    });
  });

  it('gets new certificates when its own are no longer taken', async () => {
    await world.bootAndCheck();
    const before = world.service.received.attestations;
    world.service.behaviour.instead = (path) =>
      path.endsWith('plan') ? problem(401, 'UpdateCertificateNeeded', 'No.') : null;
    world.device.clock.advance(3_800_000);
    await expect.poll(async () => (await world.device.gateway('status')).phase).toBe('offline');
    world.service.behaviour.instead = () => null;
    world.device.clock.advance(10_000);
    await expect.poll(() => world.service.received.attestations).toBe(before + 1);
  });
});
