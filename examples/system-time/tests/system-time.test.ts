import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('finds the time that it set, after a restart of the device', async () => {
  await using app = await startApp({ folder: join(import.meta.dirname, '..') });
  await app.log.waitFor(/^set: 2031-05-06 07:08:/);
  await app.log.waitFor(/^found: 2031-05-06 07:08:/);
});
