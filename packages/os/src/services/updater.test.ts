import { DEVICE_PATHS, IMAGE_TYPES, SYSTEM_COMPONENT_IDS } from '@sevenfold/formats';
import { generateKeyPair } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import { type TestDeviceService } from './testing/device-service.ts';
import { APP, useWorld } from './testing/world.ts';

const world = useWorld();

describe('an update', () => {
  it('installs an app without a restart, then replaces it', async () => {
    const first = world.publish(APP, 5, 300_000);
    expect(await world.bootAndCheck()).toMatchObject({ lastError: null });
    expect(world.device.memory.images).toMatchObject([{ imageId: first.imageId, state: 'active' }]);
    expect(world.device.memory.events).toEqual(['commit 1', `appInstalled ${APP}`]);
    await world.device.gateway('checkNow');
    expect(world.device.memory.events).toHaveLength(2);
    const second = world.publish(APP, 6, 65_536);
    await world.device.gateway('checkNow');
    expect(world.device.memory.images).toMatchObject([{ imageId: second.imageId }]);
    expect(world.service.received.plans.at(-1)?.images).toMatchObject([{ imageId: first.imageId }]);
  });

  it('waits while apps put it off, keeps what it downloaded, and says when', async () => {
    const image = world.publish(APP, 5, 300_000);
    world.device.memory.deferral = 10 * 60_000;
    expect(await world.bootAndCheck()).toMatchObject({ lastError: null });
    expect(world.device.memory.events).toEqual([]);
    expect(world.device.memory.staged.get(image.imageId)).toBeDefined();
    expect(world.device.log.join('\n')).toContain('apps put the update off for 10 minutes');
    world.device.memory.deferral = 0;
    await world.device.gateway('checkNow');
    expect(world.device.memory.events).toEqual(['commit 1', `appInstalled ${APP}`]);
  });

  it('leaves the apps of a device under development to its developer, and says so; the OS is updated', async () => {
    world.device.memory.boot = { ...world.device.memory.boot, capabilities: ['appDevelopment'] };
    world.publish(APP, 5, 1000);
    world.publish(SYSTEM_COMPONENT_IDS.NormalWorldKernel, 7, 900_000, IMAGE_TYPES.NormalWorldKernel);
    expect(await world.bootAndCheck()).toMatchObject({ lastError: null });
    await expect.poll(() => world.device.memory.events).toEqual(['commit 1', 'restart']);
    expect(world.device.memory.images).not.toContainEqual(expect.objectContaining({ componentId: APP }));
    expect(world.device.log.join('\n')).toContain('left 1 planned app: under development');
  });

  it('removes an app', async () => {
    world.publish(APP, 5, 1000);
    await world.bootAndCheck();
    world.service.behaviour.images = [];
    world.service.behaviour.removeComponents = [APP];
    await world.device.gateway('checkNow');
    expect(world.device.memory.images).toEqual([]);
    expect(world.device.memory.events.at(-1)).toBe(`appRemoved ${APP}`);
  });

  it('restarts for a new OS, after the gateway has its answer', async () => {
    world.publish(SYSTEM_COMPONENT_IDS.NormalWorldKernel, 7, 900_000, IMAGE_TYPES.NormalWorldKernel);
    world.publish(APP, 5, 1000);
    expect(await world.bootAndCheck()).toMatchObject({ lastError: null });
    await expect.poll(() => world.device.memory.events).toEqual(['commit 2', 'restart']);
  });

  it('confirms a tried OS once the service has seen it', async () => {
    world.device.memory.boot = { ...world.device.memory.boot, trial: true };
    world.service.behaviour.instead = () => 'cut';
    await world.bootAndCheck();
    expect(world.device.memory.events).not.toContain('healthy');
    world.service.behaviour.instead = () => null;
    world.service.behaviour.verdict = 'unknown';
    await world.device.gateway('checkNow');
    await world.device.gateway('checkNow');
    expect(world.device.memory.events.filter((event) => event === 'healthy')).toHaveLength(1);
  });

  it('restarts for a new OS whatever becomes of the reports, and if it was committed before', async () => {
    world.queue(1);
    world.service.behaviour.instead = (path) => (path === DEVICE_PATHS.reports ? 'cut' : null);
    world.publish(SYSTEM_COMPONENT_IDS.Services, 9, 1000, IMAGE_TYPES.Services);
    await world.device.boot();
    await expect.poll(() => world.device.memory.events).toEqual(['commit 1', 'restart']);
    expect(world.device.memory.records).toHaveLength(1);
    // The restart was lost: what the monitor now says is reason enough for another one.
    world.device.memory.events.length = 0;
    world.device.memory.images = [];
    world.device.memory.failing.set('stageBegin', { code: 'RestartRequired', message: 'Restart first.' });
    await world.device.boot();
    await expect.poll(() => world.device.memory.events).toEqual(['restart']);
  });

  it('begins with a restart where the services could not go on', async () => {
    world.device.memory.failing.set('random', { code: 'EntropyFailure', message: 'No noise.' });
    await world.device.boot();
    const { memory, clock } = world.device;
    for (let round = 0; round < 3; round++) {
      expect((await world.device.gateway('checkNow')).lastError).toContain('EntropyFailure');
      expect(memory.events).toEqual([]);
    }
    await expect
      .poll(() => {
        clock.advance(600_000);
        return memory.events;
      })
      .toEqual(['restart']);
  });

  it('resumes a download where it was cut, over a new connection and after a restart', async () => {
    const image = world.publish(APP, 5, 800_000);
    let cuts = 0;
    world.service.behaviour.instead = (path) => (path.includes('/images/') && cuts++ === 1 ? 'cut' : null);
    await world.bootAndCheck();
    expect(world.device.memory.images).toMatchObject([{ imageId: image.imageId }]);
    const ranges = world.service.received.requests.filter((line) => line.includes('/images/'));
    expect(ranges.map((line) => line.split('=')[1])).toEqual([
      '0-262143',
      '262144-524287',
      '262144-524287',
      '524288-786431',
      '786432-799999',
    ]);

    const next = world.publish(APP, 6, 600_000);
    world.service.received.requests.length = 0;
    let requests = 0;
    world.service.behaviour.instead = (path) => (path.includes('/images/') && requests++ > 0 ? 'cut' : null);
    expect(await world.device.gateway('checkNow')).toMatchObject({ phase: 'offline' });
    expect(world.device.memory.images).toMatchObject([{ imageId: image.imageId }]);
    world.service.behaviour.instead = () => null;
    world.service.received.requests.length = 0;
    await world.device.boot();
    await world.device.gateway('checkNow');
    expect(world.device.memory.images).toMatchObject([{ imageId: next.imageId }]);
    expect(world.service.received.requests.find((line) => line.includes('/images/'))).toContain(
      'bytes=262144-',
    );
  });

  it('commits all or nothing', async () => {
    world.publish(APP, 5, 1000);
    const other = world.publish('0a0a0002-0000-4000-8000-000000000002', 6, 1000);
    world.service.blobs.delete(other.imageId);
    const status = await world.bootAndCheck();
    expect(status.lastError).toContain('ImageNotFound');
    expect(world.device.memory.images).toEqual([]);
    expect(world.device.memory.events).toEqual([]);
  });

  it('does not try an image again that a boot has left, and says so', async () => {
    const image = world.publish(SYSTEM_COMPONENT_IDS.Services, 9, 1000, IMAGE_TYPES.Services);
    world.device.memory.boot = { ...world.device.memory.boot, fellBack: { imageIds: [image.imageId] } };
    const status = await world.bootAndCheck();
    expect(status.lastError).toContain(image.imageId);
    expect(world.device.memory.images).toEqual([]);
    expect(world.service.received.plans[0]?.failures).toEqual([`left image ${image.imageId}`]);
  });

  it('keeps the app when its start fails, since the update itself is done', async () => {
    world.publish(APP, 5, 1000);
    world.device.memory.failing.set('appInstalled', { code: 'AppRefused', message: 'bad manifest' });
    expect(await world.bootAndCheck()).toMatchObject({ phase: 'idle', lastError: null });
    expect(world.device.log.join('\n')).toContain('bad manifest');
  });

  const lies: readonly (readonly [string, (s: TestDeviceService) => void, string])[] = [
    ['signed by another key', (s) => (s.behaviour.planKey = generateKeyPair()), 'PlanNotGenuine'],
    [
      'with a flipped bit',
      (s) => (s.behaviour.planMessage = (m) => m.map((b, i) => (i === m.length - 5 ? b ^ 1 : b))),
      'PlanNotGenuine',
    ],
    [
      'for another nonce',
      (s) => (s.behaviour.planPayload = (p) => ({ ...p, nonce: new Uint8Array(32) })),
      'PlanNotFresh',
    ],
    [
      'for another device',
      (s) => (s.behaviour.planPayload = (p) => ({ ...p, deviceId: 'ab'.repeat(32) })),
      'PlanForAnotherDevice',
    ],
    ['cut short', (s) => (s.behaviour.planMessage = (m) => m.subarray(0, 40)), 'Cbor'],
    [
      'with an image that does not fit',
      (s) =>
        (s.behaviour.planPayload = (p) => ({
          ...p,
          images: p.images.map((image) => ({ ...image, size: 9_000_000 })),
        })),
      'PlanImpossible',
    ],
  ];
  it.each(lies)('refuses a plan %s', async (_what, lie, code) => {
    world.publish(APP, 5, 1000);
    lie(world.service);
    const status = await world.bootAndCheck();
    expect(status.lastError).toContain(code);
    expect(world.device.memory.events).toEqual([]);
    expect(world.device.memory.staged.size).toBe(0);
  });

  it('refuses a plan that was good once', async () => {
    let kept: Uint8Array | null = null;
    world.service.behaviour.planMessage = (message) => (kept ??= message);
    await world.bootAndCheck();
    expect((await world.device.gateway('checkNow')).lastError).toContain('PlanNotFresh');
  });

  it('refuses images that are not what the plan says', async () => {
    const image = world.publish(APP, 5, 100_000);
    world.service.blobs.set(image.imageId, new Uint8Array(100_000));
    const status = await world.bootAndCheck();
    expect(status.lastError).toContain('DigestMismatch');
    expect(world.device.memory.images).toEqual([]);
    expect(world.device.memory.staged.size).toBe(0);
  });

  it('refuses parts that nobody asked for', async () => {
    world.publish(APP, 5, 100_000);
    const answers = [
      (): Uint8Array => new Uint8Array(),
      (): Uint8Array => new Uint8Array(100_001),
      () => ({ status: 304, body: new Uint8Array() }),
    ];
    await world.device.boot();
    for (const answer of answers) {
      world.service.behaviour.image = answer;
      const status = await world.device.gateway('checkNow');
      expect(status.lastError).toMatch(/UnexpectedAnswer|ServiceRefused/);
    }
    world.service.behaviour.image = (bytes) => bytes;
    expect(await world.device.gateway('checkNow')).toMatchObject({ lastError: null });
    expect(world.device.memory.images).toHaveLength(1);
  });
});
