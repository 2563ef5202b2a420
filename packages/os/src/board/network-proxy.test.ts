import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import tls from 'node:tls';
import type { PortValue } from '@sevenfold/formats';
import { toPem } from '@sevenfold/pki';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeIdentity, type Identity } from './testing/identities.fixture.ts';
import { createBoardNetwork, type BoardNetwork } from './network.ts';
import { startProxy, type TestProxy } from './testing/proxy.fixture.ts';

const NOW = Date.now();
let root: Identity;
let server: tls.Server;
let plain: Server;
let network: BoardNetwork;
let proxy: TestProxy | null = null;
const asked: string[] = [];

const portOf = (listening: Server): number => (listening.address() as AddressInfo).port;

beforeAll(async () => {
  root = await makeIdentity('root', 'Test root', null, { now: NOW });
  const leaf = await makeIdentity('tlsServer', 'server', root, { hostNames: ['api.example'], now: NOW });
  const key = toPem('PRIVATE KEY', leaf.key.pkcs8);
  server = tls.createServer({ cert: toPem('CERTIFICATE', leaf.certificate.der), key }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  // Speaks first: what it says may come with the proxy's answer.
  plain = createServer((socket) => void socket.end('welcome'));
  for (const each of [server, plain]) {
    each.listen(0, '127.0.0.1');
    await once(each, 'listening');
  }
});
afterEach(async () => {
  await network.close();
  await proxy?.close();
  proxy = null;
  asked.length = 0;
});
afterAll(async () => {
  for (const each of [server, plain]) await new Promise((resolve) => each.close(resolve));
});

async function start(options: Parameters<typeof startProxy>[0]): Promise<TestProxy> {
  proxy = await startProxy(options);
  network = createBoardNetwork({
    resolve: (host) => {
      asked.push(host);
      return host === 'proxy.example' ? '127.0.0.1' : null;
    },
  });
  return proxy;
}

const through = (port: number, more: Record<string, PortValue> = {}): PortValue => ({
  host: 'api.example',
  port: 443,
  serverName: 'api.example',
  roots: [root.certificate.der],
  proxy: { host: 'proxy.example', port, ...more },
});

describe('through a proxy', () => {
  it('TLS ends at the server, whose name the proxy resolves', async () => {
    const { port, heads } = await start({ hosts: { 'api.example:443': portOf(server) } });
    const id = await network.handle('tlsConnect', [through(port)]);
    await network.handle('tlsWrite', [id, Buffer.from('hello')]);
    expect(Buffer.from((await network.handle('tlsRead', [id, 10])) as Uint8Array).toString()).toBe('hello');
    expect(heads).toEqual(['CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n']);
    expect(asked).toEqual(['proxy.example']);
  });

  it('name and password go to the proxy alone', async () => {
    const { port, heads } = await start({ hosts: { 'api.example:443': portOf(server) } });
    await network.handle('tlsConnect', [through(port, { username: 'lamp', password: 'pässword: 1' })]);
    const [, encoded = ''] = /Proxy-Authorization: Basic (.*)\r\n/.exec(heads[0] ?? '') ?? [];
    expect(Buffer.from(encoded, 'base64').toString()).toBe('lamp:pässword: 1');
  });

  it('plain TCP loses nothing of what the peer says at once', async () => {
    const { port } = await start({ answer: () => 'HTTP/1.1 200 OK\r\nX: y\r\n\r\nwelcome' });
    const opened = await network.handle('tcpConnectHost', [
      { host: 'plain.example', port: 80, proxy: { host: 'proxy.example', port } },
    ]);
    const { connection } = opened as { connection: number };
    expect(Buffer.from((await network.handle('tcpRead', [connection, 100])) as Uint8Array).toString()).toBe(
      'welcome',
    );
  });

  it.each<[string, string]>([
    ['asks who we are', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'],
    ['redirects', 'HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\n\r\n'],
    ['speaks something else', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['says a status that is none', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['does not come to an end', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(3000)}`],
  ])('that %s there is no connection', async (_what, said) => {
    const { port } = await start({ answer: () => said });
    await expect(network.handle('tlsConnect', [through(port)])).rejects.toMatchObject({
      code: 'ProxyRefused',
    });
  });

  it('a proxy in the middle is no server', async () => {
    // It answers the handshake itself, with a certificate of its own.
    const foreign = await makeIdentity('root', 'Foreign', null, { now: NOW });
    const leaf = await makeIdentity('tlsServer', 'x', foreign, { hostNames: ['api.example'], now: NOW });
    const middle = tls.createServer(
      { cert: toPem('CERTIFICATE', leaf.certificate.der), key: toPem('PRIVATE KEY', leaf.key.pkcs8) },
      (socket) => socket.on('error', () => {}),
    );
    middle.listen(0, '127.0.0.1');
    await once(middle, 'listening');
    const { port } = await start({ hosts: { 'api.example:443': portOf(middle) } });
    await expect(network.handle('tlsConnect', [through(port)])).rejects.toMatchObject({
      code: 'ServerNotTrusted',
    });
    middle.close();
  });

  it.each<[string, Record<string, PortValue>]>([
    ['a line break in its name', { username: 'a\r\nX: y', password: 'b' }],
    ['a colon in its name', { username: 'a:b', password: 'c' }],
  ])('%s is no proxy’s', async (_what, more) => {
    const { port, heads } = await start({});
    await expect(network.handle('tlsConnect', [through(port, more)])).rejects.toMatchObject({
      code: 'BadArgument',
    });
    expect(heads).toEqual([]);
  });
});
