import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

const folder = join(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');

/** A server on port 8443 with a certificate for api.example. */
async function serve(name: string): Promise<{ requests: string[]; [Symbol.asyncDispose](): Promise<void> }> {
  const requests: string[] = [];
  const server = createServer(
    { cert: read(`${name}.pem`), key: read(`${name}.key`) },
    (request, response) => {
      requests.push(
        `${request.method} ${request.url} ${request.headers.host} ${request.headers['user-agent']}`,
      );
      if (request.url === '/moved') response.writeHead(302, { location: '/status' }).end();
      // In two chunks, of a length that is not said before.
      else {
        response.write('all ');
        response.end('well');
      }
    },
  );
  server.listen(8443, '127.0.0.1');
  await once(server, 'listening');
  return {
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
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
    'easy: 200 all well',
    'multi: 200 all well',
    'multi: 200 all well',
  ]);
  assert.equal(server.requests[0], 'GET /status api.example:8443 sevenfold-example/1');
});

test('does not speak with a server whose root it does not have', async () => {
  await using server = await serve('stranger');
  await using app = await startApp({ folder, hosts: { 'api.example': '127.0.0.1' } });
  await app.log.waitFor(/^easy: TLS handshake failed$/, 30_000);
  assert.deepEqual(server.requests, []);
});
