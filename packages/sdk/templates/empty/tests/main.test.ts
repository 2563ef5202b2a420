import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('starts', async () => {
  await using app = await startApp();
  await app.log.waitFor(/started/);
});
