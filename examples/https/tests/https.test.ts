import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createSecureServer, type ServerHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

const folder = join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');

/** A server of HTTP/2 on port 8443 with a certificate for api.example. */
async function serve(name: string): Promise<{ requests: string[]; [Symbol.asyncDispose](): Promise<void> }> {
  const requests: string[] = [];
  const sessions: ServerHttp2Session[] = [];
  const server = createSecureServer(
    { cert: read(`${name}.pem`), key: read(`${name}.key`) },
    ({ method, url, headers }, response) => {
      requests.push(`${method} ${url} ${headers[':authority']} ${headers['user-agent']}`);
      if (url === '/moved') response.writeHead(302, { location: '/status' }).end();
      // In two parts, of a length that is not said before.
      else {
        response.write('all ');
        response.end('well');
      }
    },
  );
  server.on('session', (session) => sessions.push(session));
  server.on('sessionError', () => {});
  server.listen(8443, '127.0.0.1');
  await once(server, 'listening');
  return {
    requests,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test('fetches what it is told, follows where it is sent', async () => {
  await using server = await serve('server');
  await using app = await startApp({ folder, hosts: { 'api.example': '127.0.0.1' } });
  await app.log.waitFor(/^done$/, 30_000);
  assert.deepEqual(app.log.lines.slice(0, 3), [
    'easy: 200 all well (HTTP/2)',
    'multi: 200 all well (HTTP/2)',
    'multi: 200 all well (HTTP/2)',
  ]);
  assert.equal(server.requests[0], 'GET /status api.example:8443 sevenfold-example/1');
});

test('does not speak with a server whose root it does not have', async () => {
  await using server = await serve('stranger');
  await using app = await startApp({ folder, hosts: { 'api.example': '127.0.0.1' } });
  await app.log.waitFor(/^easy: TLS handshake failed$/, 30_000);
  assert.deepEqual(server.requests, []);
});
