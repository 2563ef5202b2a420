import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import type { PortValue } from '@sevenfold/formats';
import {
  generateKeyPair,
  issueAndParse,
  signWithPkcs8,
  toPem,
  type Certificate,
  type KeyPair,
} from '@sevenfold/pki';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createBoardNetwork, type BoardNetwork, type BoardNetworkOptions } from './network.ts';

const entropy = { random: (length: number) => new Uint8Array(length).map((_, index) => index * 7 + 1) };
const NOW = Date.now();
const DAY = 86_400_000;

interface Authority {
  readonly certificate: Certificate;
  readonly key: KeyPair;
}

async function makeRoot(name: string, now = NOW): Promise<Authority> {
  const key = generateKeyPair();
  const certificate = await issueAndParse(
    'root',
    { subject: [['CN', name]], publicKey: key.spki, now, entropy },
    { certificate: null, sign: async (message) => signWithPkcs8(key.pkcs8, message) },
  );
  return { certificate, key };
}

async function makeServer(root: Authority, hostNames: string[], now = NOW) {
  const key = generateKeyPair();
  const certificate = await issueAndParse(
    'tlsServer',
    { subject: [['CN', 'server']], publicKey: key.spki, now, entropy, hostNames },
    { certificate: root.certificate, sign: async (message) => signWithPkcs8(root.key.pkcs8, message) },
  );
  return { cert: toPem('CERTIFICATE', certificate.der), key: toPem('PRIVATE KEY', key.pkcs8) };
}

const listening: { close(): void; closeAllConnections?(): void }[] = [];
const networks: BoardNetwork[] = [];

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  listening.push(server);
  return (server.address() as AddressInfo).port;
}

function open(options: BoardNetworkOptions = {}): BoardNetwork {
  const network = createBoardNetwork({
    resolve: (host) => (host.endsWith('.example') ? '127.0.0.1' : null),
    ...options,
  });
  networks.push(network);
  return network;
}

let root: Authority;
let foreign: Authority;
let port = 0;
let exported: string[] = [];
const large = new Uint8Array(300_000).map((_, index) => index % 251);

beforeAll(async () => {
  root = await makeRoot('Test root');
  foreign = await makeRoot('Foreign root');
  const server = createHttpsServer(
    {
      ...(await makeServer(root, ['service.example'])),
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const socket = request.socket as tls.TLSSocket;
      exported.push(socket.exportKeyingMaterial(32, 'TEST', Buffer.alloc(0)).toString('hex'));
      const path = request.url ?? '';
      if (path === '/silent') return;
      if (path === '/cut') {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half');
        setImmediate(() => socket.destroy());
        return;
      }
      if (path === '/close') {
        response.writeHead(204, { connection: 'close' }).end();
        return;
      }
      if (path === '/busy') {
        response.writeHead(503, { 'retry-after': '17', 'content-type': 'text/plain' }).end('later');
        return;
      }
      if (path === '/who') {
        response.end(socket.getPeerX509Certificate()?.subject ?? 'nobody');
        return;
      }
      if (path === '/large') {
        const [, start = '0', end = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
        response.writeHead(206, { 'content-type': 'application/octet-stream' });
        response.end(large.subarray(Number(start), end === '' ? large.length : Number(end) + 1));
        return;
      }
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        response.setHeader('content-type', request.headers['content-type'] ?? '');
        response.end(`${request.method} ${Buffer.concat(chunks).toString()}`);
      });
    },
  );
  port = await listen(server);
});

afterEach(async () => {
  exported = [];
  for (const network of networks.splice(0)) await network.close();
});
afterAll(() => {
  for (const server of listening.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

const target = (changes: Record<string, PortValue> = {}): PortValue => ({
  host: 'service.example',
  port,
  serverName: 'service.example',
  roots: [root.certificate.der],
  ...changes,
});

const text = (value: PortValue): string => Buffer.from((value as { body: Uint8Array }).body).toString();

describe('an HTTPS session', () => {
  it('exports keying material of the connection that carries its requests', async () => {
    const network = open();
    const session = await network.handle('httpsOpen', [target()]);
    const exporter = (await network.handle('httpsExporter', [session, 'TEST', 32])) as Uint8Array;
    for (let count = 0; count < 3; count++) {
      await network.handle('httpsRequest', [session, { method: 'GET', path: '/' }]);
    }
    expect(new Set(exported)).toEqual(new Set([Buffer.from(exporter).toString('hex')]));
    expect(exported).toHaveLength(3);
  });

  it('sends bodies and gives status, type and appointment', async () => {
    const network = open();
    const session = await network.handle('httpsOpen', [target()]);
    const body = Buffer.from('hello');
    const posted = await network.handle('httpsRequest', [
      session,
      { method: 'POST', path: '/echo', contentType: 'application/cbor', body },
    ]);
    expect(posted).toMatchObject({ status: 200, contentType: 'application/cbor', retryAfter: null });
    expect(text(posted)).toBe('POST hello');
    const busy = await network.handle('httpsRequest', [session, { method: 'GET', path: '/busy' }]);
    expect(busy).toMatchObject({ status: 503, retryAfter: 17 });
  });

  it('asks for a part of what is large', async () => {
    const network = open();
    const session = await network.handle('httpsOpen', [target()]);
    const ask = (range: Record<string, PortValue>): Promise<PortValue> =>
      network.handle('httpsRequest', [session, { method: 'GET', path: '/large', ...range }]);
    expect(await ask({ rangeStart: 1000, rangeLength: 500 })).toMatchObject({
      status: 206,
      body: large.subarray(1000, 1500),
    });
    expect(await ask({ rangeStart: 299_990 })).toMatchObject({ body: large.subarray(299_990) });
  });

  it('shows its client certificate, if it has one', async () => {
    const network = open();
    const key = generateKeyPair();
    const client = await issueAndParse(
      'intermediate',
      { subject: [['CN', 'a device']], publicKey: key.spki, now: NOW, entropy },
      { certificate: root.certificate, sign: async (message) => signWithPkcs8(root.key.pkcs8, message) },
    );
    const identity = { clientChain: [client.der], clientKey: key.pkcs8 };
    const named = await network.handle('httpsOpen', [target(identity)]);
    expect(text(await network.handle('httpsRequest', [named, { method: 'GET', path: '/who' }]))).toContain(
      'a device',
    );
    const nameless = await network.handle('httpsOpen', [target()]);
    expect(text(await network.handle('httpsRequest', [nameless, { method: 'GET', path: '/who' }]))).toBe(
      'nobody',
    );
    const broken = target({ ...identity, clientKey: generateKeyPair().pkcs8 });
    await expect(network.handle('httpsOpen', [broken])).rejects.toMatchObject({ code: 'BadArgument' });
  });

  it('believes the given roots alone, for the given name alone', async () => {
    const network = open();
    const refused = { code: 'ServerNotTrusted' };
    await expect(
      network.handle('httpsOpen', [target({ roots: [foreign.certificate.der] })]),
    ).rejects.toMatchObject(refused);
    await expect(
      network.handle('httpsOpen', [target({ serverName: 'other.example' })]),
    ).rejects.toMatchObject(refused);
    await expect(network.handle('httpsOpen', [target({ roots: [] })])).rejects.toMatchObject({
      code: 'BadArgument',
      field: 'roots',
    });
  });

  it('does not take a root of the machine for its own', async () => {
    // The machine would trust whatever its own list names; here that list has one entry, and still it is refused.
    const before = tls.getCACertificates('default');
    try {
      tls.setDefaultCACertificates([toPem('CERTIFICATE', root.certificate.der)]);
      const network = open();
      const asked = network.handle('httpsOpen', [target({ roots: [foreign.certificate.der] })]);
      await expect(asked).rejects.toMatchObject({ code: 'ServerNotTrusted' });
    } finally {
      tls.setDefaultCACertificates(before);
    }
  });

  it('judges the server at the board’s own time, where that is another', async () => {
    const atTime = (now: number): BoardNetwork => open({ now: () => now });
    await expect(atTime(NOW).handle('httpsOpen', [target()])).resolves.toBeTypeOf('number');
    const refused = { code: 'ServerNotTrusted' };
    await expect(atTime(NOW + 400 * DAY).handle('httpsOpen', [target()])).rejects.toMatchObject({
      ...refused,
      rule: 'Expired',
    });
    await expect(atTime(NOW - DAY).handle('httpsOpen', [target()])).rejects.toMatchObject(refused);
    const wrong = target({ roots: [foreign.certificate.der] });
    await expect(atTime(NOW).handle('httpsOpen', [wrong])).rejects.toMatchObject(refused);
    const other = target({ serverName: 'other.example' });
    await expect(atTime(NOW).handle('httpsOpen', [other])).rejects.toMatchObject(refused);

    const later = await makeRoot('Root of the future', NOW + 1000 * DAY);
    const server = createHttpsServer(
      await makeServer(later, ['future.example'], NOW + 1000 * DAY),
      (_, response) => {
        response.end('from the future');
      },
    );
    const future = {
      host: 'future.example',
      port: await listen(server),
      serverName: 'future.example',
      roots: [later.certificate.der],
    };
    await expect(open().handle('httpsOpen', [future])).rejects.toMatchObject(refused);
    const network = atTime(NOW + 1001 * DAY);
    const session = await network.handle('httpsOpen', [future]);
    expect(text(await network.handle('httpsRequest', [session, { method: 'GET', path: '/' }]))).toBe(
      'from the future',
    );
  });

  const openssl = spawnSync('openssl', ['version']).status === 0;
  if (!openssl) process.stderr.write('skipped: servers with certificates of openssl, which is not here\n');
  it.runIf(openssl).each([['rsa:2048'], ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']])(
    'takes a server as %s makes it by hand for that server, at any time',
    async (...kind) => {
      const folder = mkdtempSync(join(tmpdir(), 'sevenfold-openssl-'));
      const made = (name: string, more: readonly string[]): Uint8Array => {
        const out = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-nodes', '-days', '30'];
        const run = ['req', '-x509', '-newkey', ...kind, ...out, '-subj', `/CN=${name}`, ...more];
        const { status, stderr } = spawnSync('openssl', run, { cwd: folder, encoding: 'utf8' });
        if (status !== 0) throw new Error(stderr);
        return new X509Certificate(readFileSync(join(folder, `${name}.pem`))).raw;
      };
      try {
        const anchor = new Uint8Array(made('root', []));
        // No key usage, no purpose: most who make one by hand leave both out.
        const issued = ['-CA', 'root.pem', '-CAkey', 'root.key', '-addext', 'basicConstraints=CA:FALSE'];
        made('server', [...issued, '-addext', 'subjectAltName=DNS:hand.example']);
        const [cert, key] = ['pem', 'key'].map((ending) => readFileSync(join(folder, `server.${ending}`)));
        const port = await listen(createHttpsServer({ cert, key }, (_, response) => response.end('by hand')));
        const asked = { host: 'hand.example', port, serverName: 'hand.example', roots: [anchor] };
        const atDay = (day: number) =>
          open({ now: () => Date.now() + day * DAY }).handle('httpsOpen', [asked]);
        await expect(atDay(1)).resolves.toBeTypeOf('number');
        await expect(atDay(40)).rejects.toMatchObject({ code: 'ServerNotTrusted', rule: 'Expired' });
        const foreigner = { ...asked, roots: [foreign.certificate.der] };
        await expect(
          open({ now: () => Date.now() + DAY }).handle('httpsOpen', [foreigner]),
        ).rejects.toMatchObject({ code: 'ServerNotTrusted' });
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it('refuses servers that speak TLS 1.2 only', async () => {
    const old = createHttpsServer(
      { ...(await makeServer(root, ['old.example'])), maxVersion: 'TLSv1.2' },
      (_, response) => {
        response.end();
      },
    );
    const asked = target({ port: await listen(old), serverName: 'old.example', host: 'old.example' });
    await expect(open().handle('httpsOpen', [asked])).rejects.toMatchObject({ code: 'HandshakeRefused' });
  });

  it('ends answers that are too large, too slow, or cut short', async () => {
    const ask = async (path: string, options: BoardNetworkOptions = {}): Promise<PortValue> => {
      const network = open({ maxResponse: 1000, ...options });
      const session = await network.handle('httpsOpen', [target()]);
      try {
        return await network.handle('httpsRequest', [session, { method: 'GET', path }]);
      } finally {
        await network.handle('httpsClose', [session]);
      }
    };
    await expect(ask('/large')).rejects.toMatchObject({ code: 'ResponseTooLarge' });
    await expect(ask('/silent', { responseTimeout: 150 })).rejects.toMatchObject({ code: 'ResponseTimeout' });
    await expect(ask('/cut')).rejects.toMatchObject({ code: 'ConnectionLost' });
  });

  it('does not open a second connection behind the first one’s back', async () => {
    const network = open();
    const session = await network.handle('httpsOpen', [target()]);
    await network.handle('httpsRequest', [session, { method: 'GET', path: '/close' }]);
    await expect(
      network.handle('httpsRequest', [session, { method: 'GET', path: '/' }]),
    ).rejects.toMatchObject({
      code: 'ConnectionLost',
    });
    expect(exported).toHaveLength(1);
  });

  it('says what is not there, and does not wait for ever', async () => {
    const network = open();
    await expect(network.handle('httpsOpen', [target({ host: 'nowhere' })])).rejects.toMatchObject({
      code: 'NameNotResolved',
    });
    const unused = createTcpServer();
    const free = await listen(unused);
    unused.close();
    await expect(network.handle('httpsOpen', [target({ port: free })])).rejects.toMatchObject({
      code: 'ConnectionRefused',
    });
    const mute = await listen(createTcpServer(() => {}));
    const hasty = open({ connectTimeout: 150 });
    await expect(hasty.handle('httpsOpen', [target({ port: mute })])).rejects.toMatchObject({
      code: 'ConnectionTimeout',
    });
    const plain = await listen(createTcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    await expect(network.handle('httpsOpen', [target({ port: plain })])).rejects.toMatchObject({
      code: expect.stringMatching(/ConnectionLost|HandshakeRefused/),
    });
  });

  it('is one of a few, and refused where it is none', async () => {
    const network = open({ maxSessions: 2 });
    const first = await network.handle('httpsOpen', [target()]);
    await network.handle('httpsOpen', [target()]);
    await expect(network.handle('httpsOpen', [target()])).rejects.toMatchObject({ code: 'TooManySessions' });
    await network.handle('httpsClose', [first]);
    await expect(network.handle('httpsClose', [first])).rejects.toMatchObject({ code: 'NoSuchSession' });
    await network.handle('httpsOpen', [target()]);
  });

  const bad: readonly (readonly [string, readonly PortValue[]])[] = [
    ['httpsOpen', []],
    ['httpsOpen', [{ host: 'a', port: 0, serverName: 'a', roots: [new Uint8Array(3)] }]],
    ['httpsOpen', [{ host: 'a b', port: 1, serverName: 'a', roots: [new Uint8Array(3)] }]],
    ['httpsRequest', ['1', { method: 'GET', path: '/' }]],
    ['tlsRead', [-1, 10]],
    ['setTime', ['now']],
  ];
  it.each(bad)('refuses arguments that are none: %s %j', async (method, args) => {
    await expect(open().handle(method, args)).rejects.toMatchObject({ code: 'BadArgument' });
  });

  it('refuses requests that would smuggle another one', async () => {
    const network = open();
    const session = await network.handle('httpsOpen', [target()]);
    for (const path of ['/ HTTP/1.1\r\nX: y', 'http://else/', '/a b', '']) {
      const asked = network.handle('httpsRequest', [session, { method: 'GET', path }]);
      await expect(asked).rejects.toMatchObject({ code: 'BadArgument', field: 'path' });
    }
    const typed = { method: 'POST', path: '/', contentType: 'a/b\r\nX: y', body: new Uint8Array() };
    await expect(network.handle('httpsRequest', [session, typed])).rejects.toMatchObject({
      field: 'contentType',
    });
    await expect(network.handle('gpioOpen', [])).rejects.toMatchObject({ code: 'UnknownCall' });
  });
});

describe('a TLS connection', () => {
  let echo = 0;
  beforeAll(async () => {
    const server = tls.createServer(
      { ...(await makeServer(root, ['echo.example'])), ALPNProtocols: ['mqtt'] },
      (socket) => {
        socket.on('error', () => {});
        socket.on('data', (chunk) => {
          if (chunk.toString() === 'exporter') {
            socket.write(socket.exportKeyingMaterial(16, 'TEST', Buffer.alloc(0)));
          } else if (chunk.toString() === 'bye') {
            socket.end('bye');
          } else {
            socket.write(chunk);
          }
        });
      },
    );
    echo = await listen(server);
  });
  const connect = (network: BoardNetwork): Promise<PortValue> =>
    network.handle('tlsConnect', [
      target({ host: 'echo.example', serverName: 'echo.example', port: echo, alpn: ['mqtt'] }),
    ]);

  it('carries bytes both ways, as many at a time as asked for, until its end', async () => {
    const network = open();
    const id = await connect(network);
    const reading = network.handle('tlsRead', [id, 4]);
    await expect(network.handle('tlsRead', [id, 4])).rejects.toMatchObject({ code: 'SessionBusy' });
    await network.handle('tlsWrite', [id, Buffer.from('hello!')]);
    expect(Buffer.from((await reading) as Uint8Array).toString()).toBe('hell');
    expect(Buffer.from((await network.handle('tlsRead', [id, 100])) as Uint8Array).toString()).toBe('o!');
    await network.handle('tlsWrite', [id, Buffer.from('bye')]);
    expect(Buffer.from((await network.handle('tlsRead', [id, 100])) as Uint8Array).toString()).toBe('bye');
    expect(await network.handle('tlsRead', [id, 100])).toEqual(new Uint8Array());
    await network.handle('tlsClose', [id]);
    await expect(network.handle('tlsRead', [id, 1])).rejects.toMatchObject({ code: 'NoSuchSession' });
  });

  it('exports the same keying material as its peer', async () => {
    const network = open();
    const id = await connect(network);
    await network.handle('tlsWrite', [id, Buffer.from('exporter')]);
    expect(await network.handle('tlsRead', [id, 16])).toEqual(
      await network.handle('tlsExporter', [id, 'TEST', 16]),
    );
  });

  it('ends, and wakes who waits, when the board loses power', async () => {
    const network = open();
    const id = await connect(network);
    const waiting = network.handle('tlsRead', [id, 1]);
    await network.close();
    expect(await waiting).toEqual(new Uint8Array());
    await expect(network.handle('tlsRead', [id, 1])).rejects.toMatchObject({ code: 'NetworkClosed' });
  });

  it('sends what was written before it closes', async () => {
    const received: string[] = [];
    const sink = tls.createServer(await makeServer(root, ['sink.example']), (socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => received.push(chunk.toString()));
      socket.on('end', () => received.push('end'));
    });
    const at = await listen(sink);
    const network = open();
    const id = await network.handle('tlsConnect', [
      target({ host: 'sink.example', serverName: 'sink.example', port: at }),
    ]);
    await network.handle('tlsWrite', [id, Buffer.from('last words')]);
    await network.handle('tlsClose', [id]);
    await expect.poll(() => received.join(' ')).toBe('last words end');
  });
});

describe('the wall clock', () => {
  it('is told the time that the OS learnt', async () => {
    const told: number[] = [];
    const network = open({ setTime: (milliseconds) => told.push(milliseconds) });
    await network.handle('setTime', [1_800_000_000_000]);
    expect(told).toEqual([1_800_000_000_000]);
  });
});
