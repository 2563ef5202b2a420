import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('waits for the certificate that only a claimed device has', async () => {
  await using app = await startApp();
  await app.log.waitFor(/waiting for the device's certificate/, 5000);
});
