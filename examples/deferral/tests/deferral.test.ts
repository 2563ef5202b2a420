import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('waits for updates', async () => {
  await using app = await startApp({ folder: join(import.meta.dirname, '..') });
  await app.log.waitFor(/waiting for updates/);
});
