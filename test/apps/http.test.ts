import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { createBoardNetwork, type BoardNetwork } from '@sevenfold/os';
import { buildApp, type BuiltApp } from '@sevenfold/sdk';
import { parseImagePackage } from '@sevenfold/formats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startProxy, type TestProxy } from '../../packages/os/src/board/testing/proxy.fixture.ts';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { install, linesOf, newSigner } from './device-apps.ts';

const folder = join(import.meta.dirname, 'http');
const certificates = join(import.meta.dirname, '../../examples/https/tests');
const read = (name: string): string => readFileSync(join(certificates, name), 'utf8');
const LARGE = 60_000;
/** Real ms. */
const PATIENCE = 50_000;

let server: Http2SecureServer;
let port = 0;
let requests: string[] = [];
let sessions = 0;
let network: BoardNetwork | null = null;
const proxies: TestProxy[] = [];

beforeAll(async () => {
  server = createSecureServer(
    { cert: read('server.pem'), key: read('server.key'), allowHTTP1: true },
    (request, response) => {
      const host = String(request.headers[':authority'] ?? request.headers.host);
      requests.push(`${request.httpVersion} ${request.method} ${host}${request.url}`);
      if (request.url === '/evil')
        response.writeHead(302, { location: `https://evil.example:${port}/a` }).end();
      else if (request.url === '/evil-address')
        response.writeHead(307, { location: `http://127.0.0.2:${port}/a` }).end();
      else if (request.url === '/moved') response.writeHead(302, { location: '/all' }).end();
      else if (request.url === '/last') {
        response.end('good bye');
        // What others may have open on this connection is over as well.
        if ('stream' in response && response.stream !== undefined) response.stream.session?.close();
      } else if (request.url === '/large') response.end('x'.repeat(LARGE));
      else if (request.method === 'POST')
        request.on('data', (chunk: Buffer) => {
          response.end(`${String(request.headers['x-app'])} ${chunk.toString()}`);
        });
      else response.end('all well');
    },
  );
  server.on('session', () => void (sessions += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  requests = [];
  sessions = 0;
  await network?.close();
  network = null;
  for (const proxy of proxies.splice(0)) await proxy.close();
});
afterAll(() => {
  server.close();
});

const signer = newSigner();

/** What the app says when it is started with these arguments. */
async function run(cmdArgs: readonly string[]): Promise<readonly string[]> {
  const app: BuiltApp = await buildApp({ sourceDir: folder, signer, manifestOverrides: { cmdArgs } });
  network = createBoardNetwork({
    resolve: (host) => (host === 'api.example' || host === 'proxy.example' ? '127.0.0.1' : null),
  });
  const world = await KernelWorld.boot({ network, hasRealTls: true });
  await install(world, app);
  const said = (): readonly string[] => linesOf(world, 'http');
  // Servers answer in real time, however busy the machine is.
  const end = performance.now() + PATIENCE;
  while (!said().includes('done') && performance.now() < end) {
    await world.clock.advance(10);
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }
  expect(parseImagePackage(app.imagePackage).fields.name).toBe('http');
  return said().slice(0, -1);
}

const url = (path: string): string => `https://api.example:${port}${path}`;

describe('an app that speaks HTTP through libcurl’s names', () => {
  it('speaks HTTP/2 where the server does, over one connection', async () => {
    expect(await run(['easy', url('/a'), url('/moved'), url('/large')])).toEqual([
      'HTTP/2 200 8 all well',
      'HTTP/2 200 8 all well',
      `HTTP/2 200 ${LARGE} ${'x'.repeat(63)}`,
    ]);
    expect(sessions).toBe(1);
    expect(requests[0]).toBe(`2.0 GET api.example:${port}/a`);
  });

  it('speaks HTTP/1.1 where it says so', async () => {
    expect(await run(['1.1', 'easy', url('/a')])).toEqual(['HTTP/1 200 8 all well']);
    expect(requests).toEqual([`1.1 GET api.example:${port}/a`]);
  });

  it('has many transfers at once on one connection', async () => {
    const lines = await run(['multi', url('/a'), url('/large'), url('/moved'), url('/b')]);
    expect(lines.toSorted()).toEqual([
      `HTTP/2 200 ${LARGE} ${'x'.repeat(63)}`,
      ...Array.from({ length: 3 }, () => 'HTTP/2 200 8 all well'),
    ]);
    expect(sessions).toBe(1);
    expect(requests).toHaveLength(5);
  });

  it('begins anew where the server has closed the connection meanwhile', async () => {
    expect(await run(['easy', url('/last'), url('/a')])).toEqual([
      'HTTP/2 200 8 good bye',
      'HTTP/2 200 8 all well',
    ]);
    expect(sessions).toBe(2);
  });

  it.each(['1.1', '2'])(
    'is led by no redirect over HTTP/%s to a host that it may not reach',
    async (version) => {
      const flags = version === '1.1' ? ['1.1'] : [];
      const lines = await run([...flags, 'easy', url('/evil'), url('/evil-address')]);
      for (const line of lines) expect(line).toMatch(/^failed: The manifest does not name this host/);
      expect(requests.map((line) => line.replace(/.*example:\d+/, ''))).toEqual(['/evil', '/evil-address']);
    },
  );

  it('posts fields and headers', async () => {
    expect(await run(['post', url('/form')])).toEqual(['HTTP/2 200 10 lamp lit=1']);
  });

  it.each(['1.1', '2'])('pauses over HTTP/%s, and loses nothing', async (version) => {
    const lines = await run([...(version === '1.1' ? ['1.1'] : []), 'pause', url('/large')]);
    expect(lines).toEqual([
      ...Array.from({ length: 3 }, () => 'paused with 0'),
      `HTTP/${version[0]} 200 ${LARGE} ${'x'.repeat(63)}`,
    ]);
  });
});

describe('through the device’s proxy', () => {
  async function proxied(answer?: () => string): Promise<TestProxy> {
    const proxy = await startProxy({
      hosts: { [`api.example:${port}`]: port },
      ...(answer === undefined ? {} : { answer }),
    });
    proxies.push(proxy);
    return proxy;
  }

  it.each(['1.1', '2'])('HTTPS goes over HTTP/%s, the OS knowing the password', async (version) => {
    const proxy = await proxied();
    const flags = version === '1.1' ? ['1.1'] : [];
    const lines = await run([...flags, 'easy', url('/a'), 'proxy', String(proxy.port)]);
    expect(lines).toEqual([`HTTP/${version[0]} 200 8 all well`]);
    const basic = Buffer.from('lamp:secret').toString('base64');
    expect(proxy.heads[0]).toContain(`CONNECT api.example:${port} HTTP/1.1\r\n`);
    expect(proxy.heads[0]).toContain(`Proxy-Authorization: Basic ${basic}\r\n`);
  });

  it('plain HTTP goes as well', async () => {
    const plain = createServer((_request, response) => void response.end('in the clear'));
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const proxy = await startProxy({
      hosts: { 'api.example:80': (plain.address() as AddressInfo).port },
    });
    proxies.push(proxy);
    const lines = await run(['easy', 'http://api.example/a', 'proxy', String(proxy.port)]);
    expect(lines).toEqual(['HTTP/1 200 12 in the clear']);
    plain.close();
  });

  it('nothing goes where the proxy says no', async () => {
    const proxy = await proxied(() => 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const lines = await run(['easy', url('/a'), 'proxy', String(proxy.port)]);
    expect(lines).toEqual(["failed: Couldn't connect to server"]);
    expect(requests).toEqual([]);
  });

  it('the manifest still decides: another host is not even asked for', async () => {
    const proxy = await startProxy({ hosts: { 'evil.example:443': port, 'evil.example:80': port } });
    proxies.push(proxy);
    for (const scheme of ['https', 'http']) {
      const lines = await run(['easy', `${scheme}://evil.example/a`, 'proxy', String(proxy.port)]);
      expect(lines[0]).toMatch(/^failed: The manifest does not name this host/);
      await network?.close();
    }
    expect(proxy.heads).toEqual([]);
  });
});

it('an interface that the app puts down carries nothing, of an open connection neither', async () => {
  expect(await run(['unplug', url('/a')])).toEqual([
    'HTTP/2 200 8 all well',
    'ready: 0',
    'wlan0 up -',
    'eth0 down -',
    'azspheresvc up -',
    "failed: Couldn't connect to server",
    'wlan0 up -',
    'eth0 up 127.0.0.1',
    'azspheresvc up -',
    'HTTP/2 200 8 all well',
  ]);
  expect(requests).toHaveLength(2);
});

it('a proxy of the app’s own and HTTP/2 without TLS are refused with libcurl’s codes, and never passed over', async () => {
  expect(await run(['refusals', url('/a')])).toEqual([
    'proxy 48, through it 4, none 0; h2c 1, less than none 43',
    'HTTP/2 200 8 all well',
  ]);
  expect(requests).toHaveLength(1);
});

it('a socket’s timeouts are those of POSIX, in milliseconds', async () => {
  const [timeout = '', refused] = await run(['timeouts']);
  expect(timeout).toMatch(/^timeout 0 0\.251000 -1 EAGAIN after \d+$/);
  const after = Number(/after (\d+)/.exec(timeout)?.[1]);
  expect(after).toBeGreaterThanOrEqual(251);
  expect(refused).toBe('refused -1 1');
});
