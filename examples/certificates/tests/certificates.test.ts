import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('keeps a certificate under the name that it is given last', async () => {
  await using app = await startApp({ folder: join(import.meta.dirname, '..') });
  await app.log.waitFor(/^new-root: CN=Example Root until 20\d\d-/);
  await app.log.waitFor(/^root: CN=Example Root/);
  await app.log.waitFor(/^new-root: No such file or directory/);
  await app.log.waitFor(/^1 stored, room for \d+ bytes/);
});
