import { join } from 'node:path';
import { test } from 'node:test';
import { createPrivateNetwork, startApp } from 'sevenfold/test';

// Two devices with certificates of a tenant: test/apps/device-to-device.test.ts.
test('listens for nobody before the device has its certificate', async () => {
  const network = createPrivateNetwork();
  await using app = await startApp({ folder: join(import.meta.dirname, '..'), privateNetwork: network });
  await app.log.waitFor(/^waiting for the certificate$/);
  const neighbour = network.plug('192.168.100.11');
  for (let second = 0; second < 5; second += 1) {
    await app.clock.advance(1000);
    try {
      neighbour.connect({ address: '192.168.100.10', port: 9443 });
    } catch {
      continue;
    }
    throw new Error('Somebody listens.');
  }
});
