import { describe, expect, it } from 'vitest';
import { imported } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { buildModule, op } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';
import { attackedDevice } from './attack.ts';

describe('an app that calls itself without end', () => {
  it('traps, is reported with its innermost frames, and takes nobody along', async () => {
    const device = await attackedDevice();
    await device.attack(buildModule({ start: op.call(0) }));
    await device.world.clock.advance(500);
    expect(device.reported).toEqual(['call stack exhausted']);
    expect(device.world.reports[0]?.frames.length).toBeGreaterThan(10);
    await device.world.clock.advance(1000);
    await device.expectUntouched();
  });

  it('does no better with calls of the system on the way', async () => {
    const device = await attackedDevice();
    const yields = imported('wasi_snapshot_preview1', 'clock_res_get');
    const start = [...op.i32(1), ...op.i32(64), ...op.call(0), ...op.drop, ...op.call(1)];
    await device.attack(buildModule({ imports: [yields], start }));
    await device.world.clock.advance(500);
    expect(device.reported).toEqual(['call stack exhausted']);
    await device.expectUntouched();
  });
});
