import {
  IMAGE_TYPES,
  SYSTEM_COMPONENT_IDS,
  decodeErrorReport,
  encodeErrorReport,
  toHex,
  type ErrorReport,
} from '@sevenfold/formats';
import { generateKeyPair, parseCertificate, sha256 } from '@sevenfold/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { problem, startDeviceService, type TestDeviceService } from './testing/device-service.ts';
import { createTestDevice, type TestDevice } from './testing/test-device.ts';

const NOW = Date.now();
const APP = '0a0a0001-0000-4000-8000-000000000001';

let service: TestDeviceService;
let device: TestDevice;

beforeEach(async () => {
  service = await startDeviceService(NOW);
  const attestationKey = generateKeyPair();
  service.endorse(attestationKey.spki);
  device = createTestDevice({
    attestationKey,
    certStore: service.certStore,
    planSpki: service.planKey.spki,
    startTime: NOW,
  });
});
afterEach(async () => {
  await device.close();
  await service.close();
});

function publish(
  componentId: string,
  seed: number,
  size = 200_000,
  imageType: number = IMAGE_TYPES.Applications,
) {
  const bytes = new Uint8Array(size).map((_, index) => (index * seed) % 253);
  const imageId = `00000000-0000-4000-8000-${String(seed).padStart(12, '0')}`;
  service.blobs.set(imageId, bytes);
  const image = { imageType, componentId, imageId, digest: sha256(bytes), size, name: `image ${seed}` };
  service.behaviour.images = [
    ...service.behaviour.images.filter((other) => other.componentId !== componentId),
    image,
  ];
  return image;
}

const report = (number: number): ErrorReport => ({
  reportId: new Uint8Array(16).fill(number),
  kind: 'AppCrash',
  componentId: APP,
  imageId: APP,
  osVersion: '26.11.0',
  time: 1_800_000_000,
  uptime: 3000,
  trap: 'memory access out of bounds',
  exitCode: null,
  frames: [{ function: 3, offset: 77 }],
  log: ['before'],
  count: 1,
});

function queue(...numbers: number[]): void {
  for (const number of numbers)
    device.memory.records.push({ id: number, record: encodeErrorReport(report(number)) });
}

async function bootAndCheck() {
  await device.boot();
  return device.gateway('checkNow');
}

describe('attestation', () => {
  it('brings certificates for keys of this device, bound to the very connection', async () => {
    const status = await bootAndCheck();
    expect(status).toMatchObject({
      deviceId: device.deviceId,
      osVersion: '26.11.0',
      verdict: 'trusted',
      tenantId: service.tenantId,
      lastError: null,
      phase: 'idle',
    });
    const leaf = parseCertificate(status.clientChain[0] ?? new Uint8Array());
    const update = parseCertificate(status.updateChain[0] ?? new Uint8Array());
    expect(toHex(leaf.spki)).not.toBe(toHex(update.spki));
    expect(device.memory.identities.at(-1)).toMatchObject({
      tenantId: service.tenantId,
      chain: status.clientChain,
    });
    expect(service.received.attestations).toBeGreaterThan(0);
  });

  it('leaves no key of a certificate inside Pluton and shows none to the gateway', async () => {
    const status = await bootAndCheck();
    expect(device.memory.sessionKeys.size).toBe(0);
    const identity = device.memory.identities.at(-1) as { key: Uint8Array };
    const shown = JSON.stringify(status, (_, value: unknown) =>
      value instanceof Uint8Array ? toHex(value) : value,
    );
    expect(shown).not.toContain(toHex(identity.key).slice(20, 80));
  });

  it('gives apps no certificate while the device is not trusted, and still updates it', async () => {
    service.behaviour.verdict = 'outdated';
    service.behaviour.reasons = ['the OS release 26.10.0 must be 26.11.0'];
    publish(APP, 5);
    const status = await bootAndCheck();
    expect(status).toMatchObject({
      verdict: 'outdated',
      reasons: ['the OS release 26.10.0 must be 26.11.0'],
      clientChain: [],
      phase: 'idle',
    });
    expect(device.memory.identities.every((identity) => identity === null)).toBe(true);
    expect(device.memory.images).toHaveLength(1);

    service.behaviour.verdict = 'trusted';
    expect((await device.gateway('checkNow')).clientChain).toHaveLength(2);
    service.behaviour.verdict = 'revoked';
    expect((await device.gateway('checkNow')).clientChain).toEqual([]);
    expect(device.memory.identities.at(-1)).toBeNull();
  });

  it('uses keys that were not certified again, so that Pluton’s slots do not run out', async () => {
    service.behaviour.instead = () => problem(503, 'Busy', 'Later.', 30);
    await device.boot();
    for (let count = 0; count < 5; count++) await device.gateway('checkNow');
    expect(device.memory.sessionKeys.size).toBe(2);
  });

  it('sets the clock by the service when it is wrong, and only then', async () => {
    await bootAndCheck();
    expect(device.memory.events).not.toContain('setTime');
    service.now = NOW + 3_600_000;
    await device.gateway('checkNow');
    expect(device.memory.events).toContain('setTime');
    expect(Math.abs(device.clock.now() - service.now)).toBeLessThan(5000);
  });

  const lies: readonly (readonly [string, (s: TestDeviceService) => void, string])[] = [
    [
      'another device’s reply',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, deviceId: 'ab'.repeat(32) })),
      'deviceId',
    ],
    [
      'an update certificate for another key',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, updateChain: r.clientChain ?? [] })),
      'updateChain',
    ],
    [
      'a client certificate for another key',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, clientChain: r.updateChain })),
      'clientChain',
    ],
    [
      'a client certificate without trust',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, verdict: 'outdated' })),
      'clientChain',
    ],
    [
      'a client certificate without a tenant',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, tenantId: null })),
      'tenantId',
    ],
    [
      'a certificate of yesterday',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, time: r.time + 2 * 86_400 })),
      'updateChain',
    ],
  ];
  it.each(lies)('refuses %s', async (_what, lie, field) => {
    lie(service);
    const status = await bootAndCheck();
    expect(status).toMatchObject({ phase: 'offline', verdict: null, clientChain: [], updateChain: [] });
    expect(status.lastError).toContain(`BadAttestReply`);
    expect(status.lastError).toContain(field);
    expect(device.memory.identities).toEqual([]);
  });

  it('refuses a service that cannot prove who it is', async () => {
    const stranger = await startDeviceService(NOW);
    const fooled = createTestDevice({
      attestationKey: generateKeyPair(),
      certStore: { endpoints: stranger.certStore.endpoints, tlsRoots: service.certStore.tlsRoots },
      planSpki: service.planKey.spki,
      startTime: NOW,
    });
    await fooled.boot();
    expect((await fooled.gateway('checkNow')).lastError).toContain('ServerNotTrusted');
    expect(stranger.received.requests).toEqual([]);
    await fooled.close();
    await stranger.close();
  });

  it('goes to the next endpoint when one is down', async () => {
    const [endpoint] = service.certStore.endpoints;
    const other = createTestDevice({
      attestationKey: generateKeyPair(),
      certStore: {
        tlsRoots: service.certStore.tlsRoots,
        endpoints: [
          { host: 'gone.example', port: 9, serverName: 'gone.example' },
          ...(endpoint ? [endpoint] : []),
        ],
      },
      planSpki: service.planKey.spki,
      startTime: NOW,
    });
    await other.boot();
    expect((await other.gateway('checkNow')).lastError).toContain('UnknownDevice');
    await other.close();
  });
});

describe('when the service is of no use', () => {
  it('says offline, keeps asking less and less often, and recovers by itself', async () => {
    service.behaviour.instead = () => 'cut';
    const status = await bootAndCheck();
    expect(status).toMatchObject({ phase: 'offline', verdict: null });
    expect(status.lastError).toContain('ConnectionLost');
    service.behaviour.instead = () => null;
    device.clock.advance(status.nextCheck - device.clock.now() + 1);
    await expect.poll(async () => (await device.gateway('status')).phase).toBe('idle');
  });

  it('keeps the certificates it has while the service is down', async () => {
    const before = await bootAndCheck();
    service.behaviour.instead = () => 'cut';
    const after = await device.gateway('checkNow');
    expect(after).toMatchObject({ phase: 'offline', verdict: 'trusted', clientChain: before.clientChain });
    expect(device.memory.identities.at(-1)).not.toBeNull();
  });

  it('keeps an appointment', async () => {
    service.behaviour.instead = () => problem(503, 'Busy', 'Come later.', 600);
    const status = await bootAndCheck();
    expect(status.lastError).toBe('ServiceRefused: The service refused: Busy: Come later.');
    expect(status.nextCheck - device.clock.now()).toBeGreaterThanOrEqual(599_000);
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
      service.behaviour.instead = (asked) => (asked === path ? { status: 200, body } : null);
      queue(1);
      const status = path.endsWith('attest') ? await bootAndCheck() : await device.gateway('checkNow');
      expect(status.phase).toBe('offline');
      expect(status.lastError).not.toBeNull();
      expect(status.queuedReports).toBeGreaterThan(0);
    }
    service.behaviour.instead = () => null;
    expect(await device.gateway('checkNow')).toMatchObject({
      phase: 'idle',
      lastError: null,
      queuedReports: 0,
    });
  });

  it('gets new certificates when its own are no longer taken', async () => {
    await bootAndCheck();
    const before = service.received.attestations;
    service.behaviour.instead = (path) =>
      path.endsWith('plan') ? problem(401, 'UpdateCertificateNeeded', 'No.') : null;
    device.clock.advance(3_800_000);
    await expect.poll(async () => (await device.gateway('status')).phase).toBe('offline');
    service.behaviour.instead = () => null;
    device.clock.advance(10_000);
    await expect.poll(() => service.received.attestations).toBe(before + 1);
  });
});

describe('an update', () => {
  it('installs an app without a restart, then replaces it', async () => {
    const first = publish(APP, 5, 300_000);
    expect(await bootAndCheck()).toMatchObject({ lastError: null });
    expect(device.memory.images).toMatchObject([{ imageId: first.imageId, state: 'active' }]);
    expect(device.memory.events).toEqual(['commit 1', `appInstalled ${APP}`]);
    await device.gateway('checkNow');
    expect(device.memory.events).toHaveLength(2);
    const second = publish(APP, 6, 65_536);
    await device.gateway('checkNow');
    expect(device.memory.images).toMatchObject([{ imageId: second.imageId }]);
    expect(service.received.plans.at(-1)?.images).toMatchObject([{ imageId: first.imageId }]);
  });

  it('removes an app', async () => {
    publish(APP, 5, 1000);
    await bootAndCheck();
    service.behaviour.images = [];
    service.behaviour.removeComponents = [APP];
    await device.gateway('checkNow');
    expect(device.memory.images).toEqual([]);
    expect(device.memory.events.at(-1)).toBe(`appRemoved ${APP}`);
  });

  it('restarts for a new OS, after the gateway has its answer', async () => {
    publish(SYSTEM_COMPONENT_IDS.NormalWorldKernel, 7, 900_000, IMAGE_TYPES.NormalWorldKernel);
    publish(APP, 5, 1000);
    expect(await bootAndCheck()).toMatchObject({ lastError: null });
    await expect.poll(() => device.memory.events).toEqual(['commit 2', 'restart']);
  });

  it('confirms a tried OS once the service has seen it', async () => {
    device.memory.boot = { ...device.memory.boot, trial: true };
    service.behaviour.instead = () => 'cut';
    await bootAndCheck();
    expect(device.memory.events).not.toContain('healthy');
    service.behaviour.instead = () => null;
    service.behaviour.verdict = 'unknown';
    await device.gateway('checkNow');
    await device.gateway('checkNow');
    expect(device.memory.events.filter((event) => event === 'healthy')).toHaveLength(1);
  });

  it('resumes a download where it was cut, over a new connection and after a restart', async () => {
    const image = publish(APP, 5, 800_000);
    let cuts = 0;
    service.behaviour.instead = (path) => (path.includes('/images/') && cuts++ === 1 ? 'cut' : null);
    await bootAndCheck();
    expect(device.memory.images).toMatchObject([{ imageId: image.imageId }]);
    const ranges = service.received.requests.filter((line) => line.includes('/images/'));
    expect(ranges.map((line) => line.split('=')[1])).toEqual([
      '0-262143',
      '262144-524287',
      '262144-524287',
      '524288-786431',
      '786432-799999',
    ]);

    const next = publish(APP, 6, 600_000);
    service.received.requests.length = 0;
    let requests = 0;
    service.behaviour.instead = (path) => (path.includes('/images/') && requests++ > 0 ? 'cut' : null);
    expect(await device.gateway('checkNow')).toMatchObject({ phase: 'offline' });
    expect(device.memory.images).toMatchObject([{ imageId: image.imageId }]);
    service.behaviour.instead = () => null;
    service.received.requests.length = 0;
    await device.boot();
    await device.gateway('checkNow');
    expect(device.memory.images).toMatchObject([{ imageId: next.imageId }]);
    expect(service.received.requests.find((line) => line.includes('/images/'))).toContain('bytes=262144-');
  });

  it('commits all or nothing', async () => {
    publish(APP, 5, 1000);
    const other = publish('0a0a0002-0000-4000-8000-000000000002', 6, 1000);
    service.blobs.delete(other.imageId);
    const status = await bootAndCheck();
    expect(status.lastError).toContain('ImageNotFound');
    expect(device.memory.images).toEqual([]);
    expect(device.memory.events).toEqual([]);
  });

  it('does not try an image again that a boot has left, and says so', async () => {
    const image = publish(SYSTEM_COMPONENT_IDS.Services, 9, 1000, IMAGE_TYPES.Services);
    device.memory.boot = { ...device.memory.boot, fellBack: { imageIds: [image.imageId] } };
    const status = await bootAndCheck();
    expect(status.lastError).toContain(image.imageId);
    expect(device.memory.images).toEqual([]);
    expect(service.received.plans[0]?.failures).toEqual([`left image ${image.imageId}`]);
  });

  it('keeps the app when its start fails, since the update itself is done', async () => {
    publish(APP, 5, 1000);
    device.memory.failing.set('appInstalled', { code: 'AppRefused', message: 'bad manifest' });
    expect(await bootAndCheck()).toMatchObject({ phase: 'idle', lastError: null });
    expect(device.log.join('\n')).toContain('bad manifest');
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
    publish(APP, 5, 1000);
    lie(service);
    const status = await bootAndCheck();
    expect(status.lastError).toContain(code);
    expect(device.memory.events).toEqual([]);
    expect(device.memory.staged.size).toBe(0);
  });

  it('refuses a plan that was good once', async () => {
    let kept: Uint8Array | null = null;
    service.behaviour.planMessage = (message) => (kept ??= message);
    await bootAndCheck();
    expect((await device.gateway('checkNow')).lastError).toContain('PlanNotFresh');
  });

  it('refuses images that are not what the plan says', async () => {
    const image = publish(APP, 5, 100_000);
    service.blobs.set(image.imageId, new Uint8Array(100_000));
    const status = await bootAndCheck();
    expect(status.lastError).toContain('DigestMismatch');
    expect(device.memory.images).toEqual([]);
    expect(device.memory.staged.size).toBe(0);
  });

  it('refuses parts that nobody asked for', async () => {
    publish(APP, 5, 100_000);
    const answers = [
      (): Uint8Array => new Uint8Array(),
      (): Uint8Array => new Uint8Array(100_001),
      () => ({ status: 304, body: new Uint8Array() }),
    ];
    await device.boot();
    for (const answer of answers) {
      service.behaviour.image = answer;
      const status = await device.gateway('checkNow');
      expect(status.lastError).toMatch(/UnexpectedAnswer|ServiceRefused/);
    }
    service.behaviour.image = (bytes) => bytes;
    expect(await device.gateway('checkNow')).toMatchObject({ lastError: null });
    expect(device.memory.images).toHaveLength(1);
  });
});

describe('error reports', () => {
  it('leave flash when the service has accepted them, and not before', async () => {
    queue(1, 2, 3);
    service.behaviour.acceptReport = ({ reportId }) => reportId[0] !== 2;
    const status = await bootAndCheck();
    expect(status.queuedReports).toBe(1);
    expect(service.received.reports.map(({ reportId }) => reportId[0]).slice(0, 2)).toEqual([1, 3]);
    service.behaviour.acceptReport = () => true;
    expect((await device.gateway('checkNow')).queuedReports).toBe(0);
    expect(service.received.reports.at(-1)).toEqual(report(2));
  });

  it('go in batches, a bounded number at a time', async () => {
    queue(...Array.from({ length: 220 }, (_, index) => index + 1));
    await device.boot();
    expect((await device.gateway('status')).queuedReports).toBeGreaterThan(0);
    await device.gateway('checkNow');
    await device.gateway('checkNow');
    expect(device.memory.records).toHaveLength(0);
    expect(service.received.reports).toHaveLength(220);
  });

  it('that cannot be read do not block the others', async () => {
    device.memory.records.push({ id: 900, record: Uint8Array.of(1, 2, 3) });
    queue(1);
    expect((await bootAndCheck()).queuedReports).toBe(0);
    expect(device.log.join('\n')).toContain('record 900');
    expect(service.received.reports).toHaveLength(1);
  });

  it('are delivered within a minute or two, without waiting for the next check', async () => {
    await bootAndCheck();
    queue(7);
    device.clock.advance(61_000);
    await expect.poll(() => service.received.reports.length).toBe(1);
  });

  it('tell of a boot that fell back, once', async () => {
    device.memory.boot = {
      trial: false,
      failures: [
        {
          imageType: IMAGE_TYPES.NormalWorldKernel,
          slot: 'B',
          code: 'BadSignature',
          message: 'It is not signed.',
        },
      ],
      fellBack: { imageIds: ['11111111-1111-4111-8111-111111111111'] },
    };
    service.behaviour.instead = () => 'cut';
    await device.boot();
    await device.boot();
    expect(device.memory.records).toHaveLength(1);
    expect(decodeErrorReport(device.memory.records[0]?.record ?? new Uint8Array())).toMatchObject({
      kind: 'OsFallback',
      trap: 'BadSignature',
      osVersion: '26.11.0',
    });
    service.behaviour.instead = () => null;
    await device.gateway('checkNow');
    expect(new Set(service.received.reports.map(({ reportId }) => toHex(reportId))).size).toBe(1);
    expect(device.memory.records).toEqual([]);
  });
});

describe('the gateway', () => {
  it('answers the gateway, and nobody else', async () => {
    await device.boot();
    await expect(device.gateway('status', 'compartment:1')).rejects.toMatchObject({
      code: 'CallerNotAllowed',
    });
    await expect(device.gateway('toString')).rejects.toMatchObject({ code: 'UnknownCall' });
    await expect(device.gateway('restart')).rejects.toMatchObject({ code: 'UnknownCall' });
  });

  it('runs one round at a time, and a new one for whoever asks meanwhile', async () => {
    await device.boot();
    const [first, second] = await Promise.all([device.gateway('checkNow'), device.gateway('checkNow')]);
    expect(first.phase).toBe('idle');
    expect(second.phase).toBe('idle');
    expect(service.received.attestations).toBeLessThanOrEqual(2);
  });

  it('comes back when the service said', async () => {
    service.behaviour.planNextCheck = 120;
    const status = await bootAndCheck();
    const wait = status.nextCheck - device.clock.now();
    expect(wait).toBeGreaterThanOrEqual(120_000);
    expect(wait).toBeLessThanOrEqual(126_000);
    const before = service.received.plans.length;
    device.clock.advance(60_001);
    device.clock.advance(66_000);
    await expect.poll(() => service.received.plans.length).toBeGreaterThan(before);
    expect(service.received.attestations).toBe(2);
  });
});
