import { createVirtualClock, runOnVirtualTime } from '@sevenfold/device';
import { FLASH_MAP, finishImagePackage, parseImagePackage, replaceSigner } from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, thumbprint } from '@sevenfold/pki';
import { expect, it } from 'vitest';
import { buildLocalRelease, makeLocalDevice } from '../../packages/cli/src/app/local-device.ts';
import { packApp, scriptModule } from '../../packages/os/src/kernel/testing/test-app.ts';

const { most, bytes } = FLASH_MAP.applications;

it('a device runs as many apps at once as there may be, with all the bytes that they may have', async () => {
  const pair = generateKeyPair();
  const sign = (message: Uint8Array): Uint8Array => signWithPkcs8(pair.pkcs8, message);
  const key = {
    spki: pair.spki,
    thumbprint: thumbprint(pair.spki),
    sign: (message: Uint8Array) => Promise.resolve(sign(message)),
  };
  // Waits for ever, with a resource that fills its share of the room.
  const module = scriptModule([
    { call: ['sevenfold', 'epoll_create'], args: [1024] },
    { call: ['sevenfold', 'epoll_wait'], args: ['loaded', 600, 1, -1, 700] },
  ]);
  const apps = Array.from({ length: most }, (_, index) => {
    const componentId = `cccccccc-bbbb-4ccc-8ddd-${String(index).padStart(12, '0')}`;
    const filling = { path: '/data/filling', bytes: new Uint8Array(bytes / most - 18_000) };
    const image = packApp({ module, componentId, imageId: componentId, files: [filling] });
    const unsigned = replaceSigner(parseImagePackage(image), key.thumbprint);
    return finishImagePackage(unsigned, sign(unsigned));
  });
  expect(apps.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(0.8 * bytes);
  const clock = createVirtualClock();
  const device = await makeLocalDevice({
    release: await buildLocalRelease(key),
    apps,
    folder: import.meta.dirname,
    clock,
    hosts: {},
  });
  try {
    await runOnVirtualTime(clock, device.boot());
    await clock.advance(5000);
    const { apps: running } = await runOnVirtualTime(clock, device.status());
    expect(running.map(({ state, restarts }) => `${state} ${restarts}`)).toEqual(apps.map(() => 'running 0'));
  } finally {
    await device.close();
  }
});
