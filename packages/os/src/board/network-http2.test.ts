import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { PortValue } from '@sevenfold/formats';
import { toPem } from '@sevenfold/pki';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeIdentity, type Identity } from './testing/identities.fixture.ts';
import { createBoardNetwork, type BoardNetwork } from './network.ts';

const NOW = Date.now();
const large = new Uint8Array(200_000).map((_, index) => index % 251);

let root: Identity;
let server: Http2SecureServer;
let network: BoardNetwork;
let port = 0;
let requests: string[] = [];
let sessions = 0;

function answer(stream: ServerHttp2Stream, path: string): void {
  stream.on('error', () => {});
  if (path === '/large') {
    stream.respond({ ':status': 200 });
    stream.end(large);
  } else if (path === '/refused') stream.close(7);
  else if (path === '/cut') {
    stream.respond({ ':status': 200 });
    stream.write('half');
    setImmediate(() => stream.destroy(new Error('broken')));
  } else if (path === '/huge-head') {
    stream.respond(
      Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`x-${index}`, 'y'.repeat(1000)])),
    );
    stream.end();
  } else if (path === '/never') {
    // Answered when the others are done.
  } else {
    stream.respond({ ':status': 201, 'set-cookie': ['a=1', 'b=2'], 'content-type': 'text/plain' });
    stream.pipe(stream);
  }
}

beforeAll(async () => {
  root = await makeIdentity('root', 'Test root', null, { now: NOW });
  const leaf = await makeIdentity('tlsServer', 'server', root, { hostNames: ['api.example'], now: NOW });
  server = createSecureServer({
    cert: toPem('CERTIFICATE', leaf.certificate.der),
    key: toPem('PRIVATE KEY', leaf.key.pkcs8),
    allowHTTP1: true,
  });
  server.on('session', (session) => {
    sessions += 1;
    session.on('error', () => {});
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    requests.push(
      `${headers[':method']} ${headers[':authority']}${headers[':path']} ${String(headers['x-app'] ?? '')}`,
    );
    answer(stream, headers[':path'] ?? '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  await network.close();
  requests = [];
  sessions = 0;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

async function connect(alpn: readonly string[] = ['h2', 'http/1.1']): Promise<PortValue> {
  network = createBoardNetwork({ resolve: () => '127.0.0.1' });
  const roots = [root.certificate.der];
  return network.handle('tlsConnect', [
    { host: 'api.example', serverName: 'api.example', port, roots, alpn },
  ]);
}

const request = (
  connection: PortValue,
  path: string,
  more: Record<string, PortValue> = {},
): Promise<PortValue> =>
  network.handle('http2Request', [
    connection,
    { method: 'GET', path, authority: 'api.example', fields: [], body: null, ...more },
  ]);

async function bodyOf(exchange: PortValue): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = (await network.handle('http2Read', [exchange, 65_536])) as Uint8Array;
    if (part.length === 0) return new Uint8Array(Buffer.concat(parts));
    parts.push(part);
  }
}

describe('a connection that agreed on HTTP/2', () => {
  it('carries requests and answers with their fields and bodies', async () => {
    const connection = await connect();
    expect(await network.handle('tlsProtocol', [connection])).toBe('h2');
    const body = Buffer.from('hello');
    const exchange = await request(connection, '/echo', {
      method: 'POST',
      fields: [['x-app', 'lamp']],
      body,
    });
    const head = (await network.handle('http2Head', [exchange])) as { status: number; fields: string[][] };
    expect(head.status).toBe(201);
    expect(head.fields).toContainEqual(['set-cookie', 'a=1']);
    expect(head.fields).toContainEqual(['set-cookie', 'b=2']);
    expect(Buffer.from(await bodyOf(exchange)).toString()).toBe('hello');
    expect(requests).toEqual(['POST api.example/echo lamp']);
  });

  it('carries many at a time, whole, one not waiting for another', async () => {
    const connection = await connect();
    const silent = await request(connection, '/never');
    const exchanges = await Promise.all(Array.from({ length: 8 }, () => request(connection, '/large')));
    for (const body of await Promise.all(exchanges.map(bodyOf))) expect(Buffer.compare(body, large)).toBe(0);
    expect(sessions).toBe(1);
    await network.handle('http2Close', [silent]);
    await expect(network.handle('http2Head', [silent])).rejects.toMatchObject({ code: 'NoSuchSession' });
  });

  it('tells an answer that was cut short from a whole one', async () => {
    const connection = await connect();
    await expect(bodyOf(await request(connection, '/cut'))).rejects.toMatchObject({ code: 'ConnectionLost' });
    const refused = await request(connection, '/refused');
    await expect(network.handle('http2Head', [refused])).rejects.toMatchObject({ code: 'ConnectionLost' });
    // The connection lives on.
    expect(await bodyOf(await request(connection, '/large'))).toHaveLength(large.length);
  });

  it('takes no head that would fill it', async () => {
    const exchange = await request(await connect(), '/huge-head');
    await expect(network.handle('http2Head', [exchange])).rejects.toMatchObject({
      code: expect.stringMatching(/^(BadResponse|ConnectionLost)$/),
    });
  });

  it.each<[string, Record<string, PortValue>]>([
    ['a field of the connection', { fields: [['transfer-encoding', 'chunked']] }],
    ['a pseudo field', { fields: [[':authority', 'evil.example']] }],
    ['another host', { fields: [['host', 'evil.example']] }],
    ['a value of two lines', { fields: [['x-app', 'a\r\nx-evil: b']] }],
    ['a path with a space', { path: '/a b' }],
    ['a method of its own', { method: 'GET /' }],
  ])('sends no request with %s', async (_what, more) => {
    const connection = await connect();
    await expect(request(connection, '/echo', more)).rejects.toMatchObject({ code: 'BadArgument' });
    expect(requests).toEqual([]);
  });

  it('ends its exchanges when it is closed', async () => {
    const connection = await connect();
    const exchange = await request(connection, '/never');
    const waiting = network.handle('http2Head', [exchange]);
    await network.handle('tlsClose', [connection]);
    await expect(waiting).rejects.toMatchObject({ code: 'ConnectionLost' });
  });
});

it('a connection that did not agree on it carries none', async () => {
  const connection = await connect(['http/1.1']);
  expect(await network.handle('tlsProtocol', [connection])).toBe('http/1.1');
  await expect(request(connection, '/echo')).rejects.toMatchObject({ code: 'BadArgument' });
});
