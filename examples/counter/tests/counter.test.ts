import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('counts on after each restart', async () => {
  await using app = await startApp({ folder: join(import.meta.dirname, '..') });
  await app.log.waitFor(/^start 1$/);
  await app.log.waitFor(/^start 3$/, 30_000);
});
