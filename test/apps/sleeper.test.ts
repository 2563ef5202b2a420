import { fileURLToPath } from 'node:url';
import { createVirtualClock, runOnVirtualTime } from '@sevenfold/device';
import { generateKeyPair, signWithPkcs8, thumbprint } from '@sevenfold/pki';
import { buildApp } from '@sevenfold/sdk';
import { expect, it } from 'vitest';
import { appLine, buildLocalRelease, makeLocalDevice } from '../../packages/cli/src/app/local-device.ts';

it('an app has the whole device sleep, and finds time and memory again when its alarm wakes it', async () => {
  const pair = generateKeyPair();
  const key = {
    spki: pair.spki,
    thumbprint: thumbprint(pair.spki),
    sign: (message: Uint8Array) => Promise.resolve(signWithPkcs8(pair.pkcs8, message)),
  };
  const folder = fileURLToPath(new URL('../../examples/sleeper', import.meta.url));
  const app = await buildApp({ sourceDir: folder, signer: key });
  const clock = createVirtualClock();
  const device = await makeLocalDevice({
    release: await buildLocalRelease(key),
    apps: [app.imagePackage],
    folder,
    clock,
    hosts: {},
  });
  const said: string[] = [];
  device.onLog((line) => {
    const text = appLine(line, 'sleeper');
    if (text !== null) said.push(text);
  });
  /** Lets time pass until something is so, a minute at most. */
  const until = async (isSo: () => boolean): Promise<void> => {
    for (let tenths = 0; tenths < 600 && !isSo(); tenths++) await clock.advance(100);
    expect(isSo(), device.bootLog.slice(-10).join('\n')).toBe(true);
  };
  try {
    await runOnVirtualTime(clock, device.boot());
    await until(() => device.chip.powerUnit.profile === 'PowerSaver');
    await until(() => device.state === 'asleep');
    expect(said).toEqual(['first start']);
    const since = clock.monotonic();
    await clock.advance(3_590_000);
    expect(device.state).toBe('asleep');
    await until(() => said.length === 2);
    expect(clock.monotonic() - since).toBeGreaterThan(3_599_000);
    expect(device.chip.resetReason).toBe('WakeAlarm');
    expect(said[1]).toBe('awake again, number 1, after 60 minutes');
    // Once more around the clock, without anybody's help.
    await until(() => device.state === 'asleep');
    await clock.advance(3_599_000);
    await until(() => said.length === 3);
    expect(said[2]).toBe('awake again, number 2, after 60 minutes');
    expect(device.bootLog).toContain('[KERNEL] the time is that of the real-time clock');
  } finally {
    await device.close();
  }
});
