import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('serves whoever connects', async () => {
  await using app = await startApp({ folder: join(import.meta.dirname, '..') });
  await app.log.waitFor(/listening on 11000/);
  const client = connect(11000, '127.0.0.1');
  await once(client, 'connect');
  client.write('hello\n');
  const answered = once(client, 'data');
  for (let step = 0; step < 50 && client.bytesRead === 0; step += 1) {
    await app.clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(String((await answered)[0]), 'HELLO\n');
  client.destroy();
});
