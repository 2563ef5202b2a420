import { describe, expect, it } from 'vitest';
import { imported } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { buildModule, op } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';
import { attackedDevice } from './attack.ts';

const HOUR = 3_600_000;

describe('an app that dies as soon as it lives', () => {
  it('comes back ever more slowly, and its deaths fill neither flash nor log', async () => {
    const device = await attackedDevice();
    const exits = buildModule({
      imports: [imported('wasi_snapshot_preview1', 'proc_exit')],
      start: [...op.i32(3), ...op.call(0)],
    });
    const before = device.world.log.length;
    await device.attack(exits);
    await device.world.clock.advance(HOUR);
    const starts = device.world.log.slice(before).filter((line) => line.endsWith('started')).length;
    expect(starts).toBeGreaterThan(10);
    expect(starts).toBeLessThan(25);
    // Eight deaths are one record.
    expect(device.world.records.size).toBeLessThanOrEqual(Math.ceil(starts / 8));
    expect(device.world.reports.reduce((sum, { count }) => sum + count, 0)).toBe(starts);
    await device.expectUntouched();
  });
});
