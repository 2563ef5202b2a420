import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('is answered by the app on the other core', async () => {
  await using app = await startApp();
  assert.equal(await app.log.waitFor(/^heard/), 'heard PING');
});
