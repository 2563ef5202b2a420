import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { connect } from 'node:tls';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { toPem } from './pem.ts';
import {
  ATTESTED,
  makeAuthorities,
  makeIdentity,
  type Authorities,
  type Identity,
} from './testing/authorities.fixture.ts';
import { findJudge, TestFolder } from './testing/judges.fixture.ts';

/**
 * Servers as a tenant would run them. Both are given the tenant's CA and nothing else. It is no root, and OpenSSL takes
 * such a CA as an anchor only where it is marked as one: `openssl x509 -addtrust clientAuth`.
 */
const openssl = findJudge('openssl', 'marking a CA as an anchor for Mosquitto and nginx');
const mosquitto = findJudge('mosquitto', 'device certificates at Mosquitto');
const nginx = findJudge('nginx', 'device certificates at nginx');

const HOUR = 3_600_000;
const DEVICE_ID = '5e'.repeat(32);
/** Ms in which a server starts, and answers; a busy machine takes its time. */
const PATIENCE = 60_000;
const folder = new TestFolder('servers');
const running: ChildProcess[] = [];

/** What a client shows: its certificate with those above it, and its key. */
interface Shown {
  readonly cert: string;
  readonly key: string;
}

let all: Authorities;
let serverRoot: string;
let shown: Record<'device' | 'stranger' | 'expired' | 'update' | 'proof', Shown>;

beforeAll(async () => {
  all = await makeAuthorities({ now: Date.now() - 30 * HOUR });
  const now = Date.now();
  const { tenantCa, intermediate, updateCa } = all;
  const more = { attestation: ATTESTED, now };
  const otherCa = await makeIdentity('tenantCa', 'Other tenant', intermediate, { now });
  const show = (leaf: Identity, authority: Identity): Shown => ({
    cert: toPem('CERTIFICATE', ...[leaf, authority, intermediate].map((one) => one.certificate.der)),
    key: toPem('PRIVATE KEY', leaf.key.pkcs8),
  });
  shown = {
    device: show(await makeIdentity('device', DEVICE_ID, tenantCa, more), tenantCa),
    stranger: show(await makeIdentity('device', DEVICE_ID, otherCa, more), otherCa),
    expired: show(all.device, tenantCa),
    update: show(await makeIdentity('update', DEVICE_ID, updateCa, more), updateCa),
    proof: show(await makeIdentity('proofOfPossession', DEVICE_ID, tenantCa, { now }), tenantCa),
  };
  // The server's own certificate comes from elsewhere.
  const elsewhere = await makeIdentity('root', 'Elsewhere', null, { now });
  const server = await makeIdentity('tlsServer', 'server', elsewhere, { now, hostNames: ['127.0.0.1'] });
  serverRoot = toPem('CERTIFICATE', elsewhere.certificate.der);
  folder.write('server.pem', toPem('CERTIFICATE', server.certificate.der));
  folder.write('server.key', toPem('PRIVATE KEY', server.key.pkcs8));
  folder.write('tenant-ca.pem', toPem('CERTIFICATE', tenantCa.certificate.der));
  if (openssl !== null) {
    const marked = folder.prepare(openssl.program, 'x509', '-in', 'tenant-ca.pem', '-addtrust', 'clientAuth');
    // nginx reads the file twice: as anchors, where the first of two alike counts, and as the names that it tells
    // clients, where it wants the plain form.
    folder.write('anchor.pem', marked + toPem('CERTIFICATE', tenantCa.certificate.der));
  }
});
afterEach(async () => {
  for (const server of running.splice(0)) {
    if (server.exitCode !== null || server.signalCode !== null) continue;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }
});
afterAll(() => folder.dispose());

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  // A TCP server's address is an object.
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Sends `hello` over TLS and resolves with what comes back, empty when the server hangs up. */
function ask(
  port: number,
  client: Shown,
  hello: Uint8Array,
  answered: (bytes: Buffer) => boolean,
): Promise<Buffer> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const socket = connect({ host: '127.0.0.1', port, ca: serverRoot, ...client }, () => socket.write(hello));
    const finish = (): void => {
      socket.destroy();
      resolve(received);
    };
    socket.setTimeout(PATIENCE, finish);
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (answered(received)) finish();
    });
    socket.on('error', finish).on('close', finish);
  });
}

/** Starts a server and waits until its port takes connections. */
async function start(program: string, args: readonly string[], port: number): Promise<void> {
  const server = spawn(program, args, { cwd: folder.path, stdio: ['ignore', 'ignore', 'pipe'] });
  running.push(server);
  let said = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  for (const end = performance.now() + PATIENCE; performance.now() < end;) {
    if (server.exitCode !== null) break;
    const socket = connect({ host: '127.0.0.1', port, ca: serverRoot, ...shown.device });
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${program} does not listen: ${said}`);
}

describe.runIf(openssl && mosquitto)('Mosquitto, which knows the tenant’s CA alone', () => {
  /** MQTT 3.1.1 CONNECT, clean session, client id `d`. */
  const CONNECT = Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 30, 0, 1, 0x64);

  it('takes the device certificate, and no other tenant’s, no expired one, no update certificate', async () => {
    const port = await freePort();
    const configuration = folder.write(
      'mosquitto.conf',
      [
        `listener ${port} 127.0.0.1`,
        `cafile ${folder.path}/anchor.pem`,
        `certfile ${folder.path}/server.pem`,
        `keyfile ${folder.path}/server.key`,
        'require_certificate true',
        'use_identity_as_username true',
        'allow_anonymous false',
        'persistence false',
        // Started by root, it would become somebody who cannot read this folder.
        'user root',
      ].join('\n'),
    );
    await start(mosquitto?.program ?? '', ['-c', configuration], port);
    const isTaken = async (client: Shown): Promise<boolean> => {
      const answer = await ask(port, client, CONNECT, (bytes) => bytes.length >= 4);
      return answer.length >= 4 && answer[0] === 0x20 && answer[3] === 0;
    };
    expect(await isTaken(shown.device)).toBe(true);
    for (const refused of ['stranger', 'expired', 'update', 'proof'] as const)
      expect([refused, await isTaken(shown[refused])]).toEqual([refused, false]);
  });
});

describe.runIf(openssl && nginx)('nginx, which knows the tenant’s CA alone', () => {
  it('takes the device certificate, and no other tenant’s, no expired one, no update certificate', async () => {
    const port = await freePort();
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder.path}/${name};`,
    );
    const configuration = folder.write(
      'nginx.conf',
      `daemon off; master_process off; worker_processes 1; pid ${folder.path}/nginx.pid; error_log stderr;
      events { worker_connections 64; }
      http {
        access_log off; ${temporary.join(' ')}
        server {
          listen 127.0.0.1:${port} ssl;
          ssl_certificate ${folder.path}/server.pem;
          ssl_certificate_key ${folder.path}/server.key;
          ssl_client_certificate ${folder.path}/anchor.pem;
          ssl_verify_client on;
          location / { return 200 "$ssl_client_verify $ssl_client_s_dn"; }
        }
      }`,
    );
    await start(nginx?.program ?? '', ['-p', folder.path, '-e', 'stderr', '-c', configuration], port);
    const request = new TextEncoder().encode(
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    const answerTo = async (client: Shown): Promise<string> =>
      (await ask(port, client, request, () => false)).toString('latin1');
    const accepted = await answerTo(shown.device);
    expect(accepted).toMatch(/^HTTP\/1\.1 200 /u);
    expect(accepted).toContain(`SUCCESS CN=${DEVICE_ID}`);
    for (const refused of ['stranger', 'expired', 'update', 'proof'] as const) {
      const answer = await answerTo(shown[refused]);
      expect([refused, answer]).toEqual([refused, expect.not.stringContaining('200 OK')]);
      expect(answer).toContain('The SSL certificate error');
    }
  });
});
