import { readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { lookupPlaces, type PortValue } from '@sevenfold/formats';
import type { BuiltApp } from '@sevenfold/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  DEVICE_ID,
  KernelWorld,
  type TestServer,
} from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { foreignBroker, type Message } from './foreign-broker.ts';
import { builtApps, TENANT, type BuiltTestApps } from './built-apps.ts';
import { install } from './device-apps.ts';

let apps: BuiltTestApps;
beforeAll(async () => {
  apps = await builtApps();
});

const versionOf = (version: 1 | 2 | 3): BuiltApp => {
  const app = apps.blink[version - 1];
  if (app === undefined) throw new Error('There is no such version.');
  return app;
};

/** A device that runs an app; without `onConnect` there is nobody at the other end of the network. */
async function deviceWith(app: BuiltApp, onConnect?: (server: TestServer) => void): Promise<KernelWorld> {
  const world = await KernelWorld.boot(
    onConnect === undefined ? { networkError: 'ConnectionRefused' } : { onConnect },
  );
  await world.services('setClientIdentity', {
    tenantId: TENANT,
    chain: [Uint8Array.of(1)],
    key: Uint8Array.of(2),
  });
  await install(world, app);
  return world;
}

/** Lets virtual time pass in steps, with turns of the real event loop between, which the broker needs. */
async function pass(world: KernelWorld, milliseconds: number): Promise<void> {
  for (let left = milliseconds; left > 0; left -= 50) {
    await world.clock.advance(50);
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }
}

describe('blink', () => {
  it('blinks at 2 Hz, seen at the pin', async () => {
    const world = await deviceWith(versionOf(1));
    await world.clock.advance(2100);
    expect(world.pinChanges.map(({ pin, level, time }) => [pin, level, time])).toEqual([
      [8, 1, 250],
      [8, 0, 500],
      [8, 1, 750],
      [8, 0, 1000],
      [8, 1, 1250],
      [8, 0, 1500],
      [8, 1, 1750],
      [8, 0, 2000],
    ]);
  });

  it('tells its own cloud over MQTT, with the device’s certificate, and is refused everything else', async () => {
    const messages: Message[] = [];
    const world = await deviceWith(versionOf(1), await foreignBroker(messages));
    await pass(world, 3200);
    expect(world.servers.map(({ target }) => [target['host'], target['clientKey']])).toEqual([
      ['broker.test', Uint8Array.of(2)],
    ]);
    expect(messages.length).toBe(3);
    expect(messages[0]).toMatchObject({ topic: `devices/${DEVICE_ID}/telemetry`, qos: 1 });
    expect(messages.map(({ payload }) => JSON.parse(payload) as unknown)[2]).toEqual({
      app: 'blink',
      version: 1,
      blinks: 11,
      last: 10,
      denied: { gpio: 'EACCES', host: 'EACCES', mutableFile: 'EACCES', path: 'ENOENT' },
    });
    expect(world.log).toContain('app blink: GPIO 9: Permission denied');
  });

  it('goes on blinking and comes back when its cloud goes away', async () => {
    const messages: Message[] = [];
    const attach = await foreignBroker(messages);
    const world = await deviceWith(versionOf(1), attach);
    await pass(world, 1200);
    expect(messages.length).toBe(1);
    world.servers[0]?.send(new Uint8Array(0));
    await pass(world, 10_000);
    expect(world.servers[0]?.isClosed).toBe(true);
    expect(world.servers.length).toBe(2);
    expect(messages.length).toBeGreaterThan(3);
    expect(world.pinChanges.length).toBe(44);
    expect(world.reports).toEqual([]);
  });

  it('traps in version 2 after three seconds, at a line that its symbols know', async () => {
    const app = versionOf(2);
    const world = await deviceWith(app);
    await world.clock.advance(3300);
    const [report] = world.reports;
    expect(report).toMatchObject({
      kind: 'AppCrash',
      trap: 'index out of bounds',
      componentId: app.componentId,
      imageId: app.imageId,
      uptime: 3250,
    });
    expect(report?.log.at(-1)).toContain('no connection to the cloud');
    const source = readFileSync(new URL('../../examples/blink/main.c', import.meta.url), 'utf8').split('\n');
    const places = (report?.frames ?? []).flatMap(({ offset }) => lookupPlaces(app.symbols, offset));
    expect(places[0]).toEqual({
      function: 'RememberBlink',
      file: 'main.c',
      line: source.findIndex((line) => line.includes('history[slot] = count')) + 1,
    });
    const callers = places.map((place) => `${place.file} ${place.function}`);
    expect(callers).toContain('<sdk>/eventloop_timer_utilities.c TimerCallback');
    expect(callers).toContain('main.c main');
  });

  it('is healed by version 3, which starts at once', async () => {
    const world = await deviceWith(versionOf(2));
    await world.clock.advance(20_000);
    const crashes = world.reports.length;
    expect(crashes).toBeGreaterThan(0);
    const fixed = versionOf(3);
    await install(world, fixed);
    await world.clock.advance(60_000);
    const [app] = (await world.services('appList')) as readonly Readonly<Record<string, PortValue>>[];
    expect(app).toMatchObject({ imageId: fixed.imageId, state: 'running', restarts: 0, uptime: 60_000 });
    expect(world.reports.every(({ imageId }) => imageId === versionOf(2).imageId)).toBe(true);
  });
});

describe('libc and Applibs', () => {
  it('keep what they promise, seen from the inside', async () => {
    const world = await deviceWith(apps.libc);
    await world.clock.advance(60_000);
    const lines = world.log.filter((line) => line.startsWith('app libc: '));
    expect(lines.filter((line) => line.includes('not ok'))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('app libc: ok')).length).toBeGreaterThan(45);
    expect(world.reports[0]).toMatchObject({ kind: 'AppExit', exitCode: 0 });
    // What had no line end yet was not lost when the app ended.
    expect(world.reports[0]?.log.at(-1)).toBe('0 failures');
  });
});
