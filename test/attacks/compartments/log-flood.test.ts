import { utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { imported } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { buildModule, op } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';
import { attackedDevice, idleModule } from './attack.ts';

const LINES_A_SECOND = 50;

describe('a flood of log lines', () => {
  it('drowns nobody: fifty a second reach the log, and the app is told on', async () => {
    const device = await attackedDevice();
    const line = utf8Encode('x\n'.repeat(2000));
    const flood = [...op.i32(1024), ...op.i32(line.length), ...op.call(0), ...op.drop];
    const module = buildModule({
      imports: [imported('sevenfold', 'log_write'), imported('wasi_snapshot_preview1', 'sched_yield')],
      start: op.loop([...flood, ...op.call(1), ...op.drop]),
      data: [{ offset: 1024, bytes: line }],
    });
    const before = device.world.log.length;
    await device.attack(module);
    await device.world.clock.advance(200);
    const lines = device.world.log.slice(before).filter((text) => text.startsWith('app tried: x'));
    expect(lines.length).toBeLessThanOrEqual(LINES_A_SECOND);
    await device.expectUntouched();
  });

  it('holds no line that is longer than a line, or speaks to a terminal', async () => {
    const device = await attackedDevice();
    await device.attack(idleModule());
    await expect(device.call('log', 'x'.repeat(1024))).rejects.toMatchObject({ code: 'BadArgument' });
    await expect(device.call('log', 7)).rejects.toMatchObject({ code: 'BadArgument' });
  });
});
