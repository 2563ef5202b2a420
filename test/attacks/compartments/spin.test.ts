import type { StageHandle } from '@sevenfold/formats';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleStage, withBundler } from '../../../packages/device/src/stage-bundle.ts';
import { settableClock, hostClock } from '../../../packages/os/src/board/host-clock.ts';
import { threadLoader } from '../../../packages/os/src/board/thread-loader.ts';
import { buildModule, op } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';
import { attackedDevice, OFFENDER } from './attack.ts';

let bundle: Uint8Array;
beforeAll(async () => {
  bundle = await withBundler(() => bundleStage('compartment', '1.0.0'));
});

const SPINNERS = 3;
const PINGS = 40;
const MOST_DELAY = 10;

describe('an app that never gives the processor back', () => {
  it('delays the kernel by no more than ten milliseconds, nor do three of them, and is ended when it is to end', async () => {
    const ended: (() => Promise<void>)[] = [];
    let isThread = false;
    const { start } = await import('../../../packages/os/src/kernel/compartment/main.ts');
    const startCompartment = async (handle: StageHandle): Promise<void> => {
      // The neighbour runs on virtual time beside the kernel; the attacker has a thread, as on a device.
      if (!isThread) return start(handle);
      await threadLoader().start(
        {
          stage: 'compartment',
          bundle,
          ports: handle.ports,
          clock: settableClock(hostClock()),
          log: () => undefined,
        },
        (loaded) => ended.push(() => loaded.stop()),
      );
    };
    const device = await attackedDevice({ startCompartment });
    isThread = true;
    // More of them than there are processors, or nearly so.
    const offenders = Array.from({ length: SPINNERS }, (_, index) => OFFENDER.replace('e', String(index)));
    for (const componentId of offenders) {
      device.world.install({ module: buildModule({ start: op.loop([]) }), componentId });
      await device.world.services('appInstalled', componentId);
    }
    const middleDelay = async (): Promise<number> => {
      const delays: number[] = [];
      for (let ping = 0; ping < PINGS; ping++) {
        const begun = performance.now();
        await device.world.services('appList');
        delays.push(performance.now() - begun);
      }
      return delays.toSorted((a, b) => a - b)[Math.floor(PINGS / 2)] ?? Infinity;
    };
    // Other work of the machine delays the kernel as well: what its apps do to it shows in the best of several rounds.
    let delay = await middleDelay();
    for (let again = 0; delay >= MOST_DELAY && again < 20; again++)
      delay = Math.min(delay, await middleDelay());
    expect(delay).toBeLessThan(MOST_DELAY);
    for (const componentId of offenders) await device.world.services('appRemoved', componentId);
    await device.world.clock.advance(1000);
    await device.expectUntouched();
    await Promise.all(ended.map((end) => end()));
  });
});
