import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket as Stream } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { parseAppImage, parseImagePackage } from '@sevenfold/formats';
import { createBoardNetwork, type BoardNetwork } from '@sevenfold/os';
import { buildApp } from '@sevenfold/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  startNameServer,
  type TestNameServer,
} from '../../packages/os/src/board/testing/dns-server.fixture.ts';
import { freePort } from '../../packages/os/src/board/testing/free-port.fixture.ts';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { COMPONENT } from '../../packages/os/src/kernel/testing/test-app.ts';
import { linesOf, newSigner } from './device-apps.ts';

let names: TestNameServer;
let network: BoardNetwork;
let echo: Server;
let datagrams: Socket;
let free = 0;

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  names = await startNameServer();
  names.records.set('echo.test', { addresses: ['127.0.0.1'], ttl: 60 });
  network = createBoardNetwork({ nameServers: [names.address], ownNetworks: ['127.0.9.0/24'] });
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  datagrams = createSocket('udp4').bind(0, '127.0.0.1');
  datagrams.on('message', (message, from) => datagrams.send(message, from.port, from.address));
  await once(datagrams, 'listening');
  free = await freePort();
});
afterAll(async () => {
  await network.close();
  await names.close();
  datagrams.close();
  echo.close();
});

it('an app finds what POSIX promises around WASI', async () => {
  const app = await buildApp({
    sourceDir: join(import.meta.dirname, 'posix'),
    signer: newSigner(),
  });
  const world = await KernelWorld.boot({ network });
  const ports = { '--tcp': portOf(echo), '--udp': portOf(datagrams), '--listen': free };
  world.install({
    module: parseAppImage(parseImagePackage(app.imagePackage).payload).executable,
    // The ports are those that this machine has to give.
    manifest: {
      CmdArgs: ['-v', '--none', ...Object.entries(ports).map(([name, port]) => `${name}=${port}`), 'rest'],
    },
    capabilities: { AllowedConnections: ['echo.test'], AllowedTcpServerPorts: [free] },
  });
  await world.services('appInstalled', COMPONENT);
  const said = (): readonly string[] => linesOf(world, 'tried');
  const isDone = (): boolean => said().some((line) => line.startsWith('done'));
  let answer = '';
  let client: Stream | null = null;
  for (let steps = 0; steps < 3000 && !isDone(); steps += 1) {
    await world.clock.advance(5);
    for (let turns = 0; turns < 5; turns += 1) await turn();
    if (client !== null || !said().includes('listening')) continue;
    client = connect(free, '127.0.0.1', () => client?.write('hello'));
    client.on('data', (bytes) => (answer += bytes.toString())).on('error', () => {});
  }
  void world.services('appRemoved', COMPONENT);
  await world.clock.advance(1000);
  // Each of them held: what did not would be a line of its own.
  expect(said()).toEqual(['listening', 'done: 52 checks', 'ended in order']);
  expect(answer).toBe('hello');
  expect(world.reports).toEqual([]);
}, 240_000);
