import { fileURLToPath } from 'node:url';
import { setImmediate as turn } from 'node:timers/promises';
import { buildApp, type BuiltApp } from '@sevenfold/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { KernelWorld, type WorldOptions } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { foreignBroker, type Message } from './foreign-broker.ts';
import { install, linesOf, newSigner } from './device-apps.ts';

let app: BuiltApp;
beforeAll(async () => {
  app = await buildApp({
    sourceDir: fileURLToPath(new URL('cloud', import.meta.url)),
    signer: newSigner(),
  });
});

async function deviceWith(options: WorldOptions): Promise<KernelWorld> {
  const world = await KernelWorld.boot(options);
  await install(world, app);
  return world;
}

/** Lets virtual time pass, with turns of the real event loop between, which the broker needs. */
async function pass(world: KernelWorld, milliseconds: number): Promise<void> {
  for (let left = milliseconds; left > 0; left -= 50) {
    await world.clock.advance(50);
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }
}

function expectPunctual(world: KernelWorld): void {
  const times = world.pinChanges.map(({ time }) => time);
  expect(times).toEqual(times.map((_, index) => (index + 1) * 100));
  expect(times.length).toBe(Math.floor(world.clock.monotonic() / 100));
}

const said = (world: KernelWorld): readonly string[] => linesOf(world, 'cloud');

describe('an app whose event loop drives its connection', () => {
  it('tells its cloud, with the broker’s receipt, and pings when there is nothing to tell', async () => {
    const messages: Message[] = [];
    const world = await deviceWith({ onConnect: await foreignBroker(messages) });
    await pass(world, 30_000);
    expect(messages.slice(0, 2)).toMatchObject([
      { topic: 'cloud/ticks', payload: expect.stringMatching(/^(19|20) ticks$/), qos: 1 },
      { topic: 'cloud/ticks', payload: expect.stringMatching(/^(29|30) ticks$/), qos: 1 },
    ]);
    expect(said(world).slice(0, 3)).toEqual(['connected: well', 'delivered: well', 'delivered: well']);
    // Silent for twice the time after which the broker gives up, and still connected.
    expect(world.servers.map(({ isClosed }) => isClosed)).toEqual([false]);
    expectPunctual(world);
  });

  it('misses no tick while the handshake takes seconds', async () => {
    const messages: Message[] = [];
    const held: (() => void)[] = [];
    const world = await deviceWith({
      onConnect: await foreignBroker(messages),
      hardwareDelay: (method) =>
        method === 'tlsConnect' ? new Promise((resolve) => held.push(resolve)) : undefined,
    });
    await pass(world, 3500);
    expectPunctual(world);
    expect(said(world)).toEqual([]);
    for (const release of held) release();
    await pass(world, 2000);
    expect(said(world)).toContain('connected: well');
    expectPunctual(world);
  });

  it.each<[string, string, WorldOptions]>([
    ['nobody is there', 'closed: Connection refused', { networkError: 'ConnectionRefused' }],
    ['its server is not who it should be', 'closed: Protocol error', { networkError: 'ServerNotTrusted' }],
    ['its broker never answers', 'closed: Operation timed out', {}],
    [
      'its broker speaks something else',
      'closed: Protocol error',
      { onConnect: (server) => server.send(Uint8Array.of(0x48, 0x54, 0x54, 0x50)) },
    ],
    [
      'its broker hangs up',
      'closed: Connection reset by peer',
      { onConnect: (server) => server.send(new Uint8Array(0)) },
    ],
    [
      'its broker refuses it',
      'closed: Permission denied',
      { onConnect: (server) => server.send(Uint8Array.of(0x20, 2, 0, 5)) },
    ],
  ])('misses no tick and tries again when %s', async (_what, line, options) => {
    const world = await deviceWith(options);
    await pass(world, 10_000);
    expect(said(world).filter((each) => each === line).length).toBeGreaterThan(1);
    expectPunctual(world);
    expect(world.servers.filter(({ isClosed }) => !isClosed).length).toBeLessThan(2);
  });
});
