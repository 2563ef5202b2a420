import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('fails five times, each in its own way, and is well at last', async () => {
  await using app = await startApp({ folder: join(import.meta.dirname, '..') });
  await app.log.waitFor(/^life 1$/);
  await app.log.waitFor(/^well$/, 90_000);
  assert.deepEqual(app.log.lines, [1, 2, 3, 4, 5, 6].map((life) => `life ${life}`).concat('well'));
  assert.deepEqual(await app.state(), { state: 'running', restarts: 5 });
});
