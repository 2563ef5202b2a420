import { encodeSymbolMap, type ErrorReport } from '@sevenfold/formats';
import type { BuiltApp } from '@sevenfold/sdk';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { openDeviceWorld } from '../../packages/service/src/device-port/testing/device-world.fixture.ts';
import { listErrorGroups } from '../../packages/service/src/errors/error-groups.ts';
import { ingestReports } from '../../packages/service/src/errors/ingest-reports.ts';
import { uploadSymbols } from '../../packages/service/src/images/images.ts';
import { uploadImage } from '../../packages/service/src/images/upload-image.ts';
import { buildExamples, exampleFolder, install, linesOf } from './device-apps.ts';

const NAMES = ['error-reporting', 'deferral', 'secure-upload'] as const;
type Name = (typeof NAMES)[number];
const TENANT = '11111111-2222-4333-8444-555555555555';
let apps: Readonly<Record<Name, BuiltApp>>;

beforeAll(async () => {
  apps = await buildExamples(NAMES);
}, 240_000);

describe('error-reporting', () => {
  it('reaches the service with each of its failures, told to the line where it was made', async () => {
    const world = await KernelWorld.boot();
    await install(world, apps['error-reporting']);
    await world.clock.advance(90_000);
    expect(linesOf(world, 'error-reporting').at(-1)).toBe('well');
    const reports: readonly ErrorReport[] = world.reports;
    expect(reports).toHaveLength(5);

    const service = await openDeviceWorld();
    try {
      const app = apps['error-reporting'];
      await uploadImage(service.service, service.tenantId, app.imagePackage);
      await uploadSymbols(service.service, service.tenantId, app.imageId, encodeSymbolMap(app.symbols));
      const { deviceId } = await service.makeDevice();
      const device = { deviceId, tenantId: service.tenantId };
      expect(await ingestReports(service.service, device, { reports })).toEqual(
        reports.map(({ reportId }) => reportId),
      );
      const { items } = await listErrorGroups(service.service, service.tenantId);
      const source = readFileSync(`${exampleFolder('error-reporting')}/main.c`, 'utf8').split('\n');
      const lineOf = (text: string): number => source.findIndex((line) => line.includes(text)) + 1;
      const titles = items.map(({ title }) => title);
      expect(titles).toEqual(
        expect.arrayContaining([
          expect.stringContaining('42'),
          `null pointer in ReadSensor (main.c:${lineOf('return sensor->value')})`,
          `index out of bounds in KeepSample (main.c:${lineOf('samples[index] = 7')})`,
          expect.stringMatching(/in Average \(main\.c:\d+\)$/),
          expect.stringContaining('watchdog'),
        ]),
      );
    } finally {
      await service.close();
    }
  });
});

describe('deferral', () => {
  it('puts the first update off, lets the next one come, and ends in order', async () => {
    const world = await KernelWorld.boot();
    await install(world, apps['deferral']);
    await world.clock.advance(100);
    const announce = async (): Promise<number> => {
      let deferral = -1;
      await world.services('updateState', 'started');
      void world.services('updateReady', 'application').then((ms) => (deferral = Number(ms)));
      await world.clock.advance(11_000);
      return deferral;
    };
    expect(await announce()).toBeGreaterThan(9 * 60_000);
    await world.clock.advance(11 * 60_000);
    expect(await announce()).toBe(0);
    await world.services('appRemoved', apps.deferral.componentId);
    await world.clock.advance(1000);
    expect(linesOf(world, 'deferral')).toEqual([
      'waiting for updates',
      'an update is being downloaded',
      'app update pending',
      'app update deferred',
      'an update is being downloaded',
      'app update pending',
      'app update final',
      'told to end',
    ]);
  });
});

describe('secure-upload', () => {
  it('waits for its certificate and posts with it', async () => {
    const world = await KernelWorld.boot();
    await install(world, apps['secure-upload']);
    await world.clock.advance(5000);
    expect(linesOf(world, 'secure-upload')).toEqual(['no certificate yet']);
    const identity = { tenantId: TENANT, chain: [Uint8Array.of(1)], key: Uint8Array.of(2) };
    await world.services('setClientIdentity', identity);
    let received = '';
    for (let tenths = 0; tenths < 300 && linesOf(world, 'secure-upload').length < 2; tenths++) {
      await world.clock.advance(100);
      const text = Buffer.concat(world.servers[0]?.received ?? []).toString();
      if (received !== '' || !text.endsWith('the kettle is on\n')) continue;
      received = text;
      world.servers[0]?.send(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'));
    }
    expect(linesOf(world, 'secure-upload')).toEqual(['no certificate yet', 'answer 204']);
    expect(received).toMatch(/^POST \/readings HTTP\/1\.1\r\n[^]*the kettle is on\n$/);
    expect(world.servers[0]?.target).toMatchObject({
      serverName: 'cloud.test',
      clientChain: identity.chain,
      clientKey: identity.key,
    });
  });
});
