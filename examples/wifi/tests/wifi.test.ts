import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

const folder = join(import.meta.dirname, '..');

test('joins the network that it is told', async () => {
  const accessPoints = [
    { ssid: 'workshop', security: 'wpa2-psk', key: 'correct horse', signal: -48 },
  ] as const;
  await using app = await startApp({ folder, accessPoints });
  await app.log.waitFor(/heard workshop at -48 dBm on 2437 MHz/);
  await app.log.waitFor(/joined workshop, networking ready/, 3000);
});

test('says why it did not join', async () => {
  const accessPoints = [{ ssid: 'workshop', security: 'wpa2-psk', key: 'another key' }] as const;
  await using app = await startApp({ folder, accessPoints });
  await app.log.waitFor(/not joined: error 4/, 3000);
});
