import { describe, expect, it } from 'vitest';
import { scriptModule } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { attackedDevice, step } from './attack.ts';

const WASI = 'wasi_snapshot_preview1';
const VECTOR = 512;

describe('a storm of timers', () => {
  it('costs its owner a sleep at a time, not the device one a timer', async () => {
    const device = await attackedDevice();
    const before = device.world.clock.sleeping;
    const timers = Array.from({ length: 59 }, (_, index) => [
      step('sevenfold', 'timer_create', 1, 0, 1024),
      // A nanosecond from now, and every nanosecond from then on.
      step('sevenfold', 'timer_set', 'loaded', 0, 1n, 1n),
      ...(index === 58
        ? [
            step('sevenfold', 'epoll_create', 1028),
            step('sevenfold', 'epoll_ctl', 63, 1, 4, 1, 0n),
            step('sevenfold', 'epoll_wait', 63, 2048, 8, -1, 700),
          ]
        : []),
    ]).flat();
    const reads = Array.from({ length: 50 }, () => step(WASI, 'fd_read', 4, VECTOR, 1, 600));
    const data = [{ offset: VECTOR, bytes: Uint8Array.of(64, 0, 0, 0, 8, 0, 0, 0) }];
    await device.attack(scriptModule([...timers, ...reads], data));
    expect(device.world.clock.sleeping).toBeLessThan(before + 4);
    await device.world.clock.advance(2000);
    await device.expectUntouched();
  });

  it('with times beyond all bounds is refused or waits', async () => {
    const device = await attackedDevice();
    const set = (value: bigint, interval: bigint) => [
      step('sevenfold', 'timer_create', 1, 0, 1024),
      step('sevenfold', 'timer_set', 'loaded', 0, value, interval),
    ];
    const largest = (1n << 63n) - 1n;
    await device.attack(
      scriptModule([...set(largest, largest), ...set(-1n, 0n), ...set(0n, -1n), ...set(1n, largest)]),
    );
    await device.world.clock.advance(1000);
    expect(device.reported).toEqual(['exit 0']);
    await device.expectUntouched();
  });
});
