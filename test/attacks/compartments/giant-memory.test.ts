import { describe, expect, it } from 'vitest';
import { imported } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { buildModule, op } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';
import { attackedDevice } from './attack.ts';

const PAGES = 4;

describe('a module that wants more memory than it may have', () => {
  it.each<[string, { min: number; max?: number; shared?: boolean }, string]>([
    ['at once', { min: PAGES + 1, max: PAGES + 1 }, 'MemoryOverQuota'],
    ['later', { min: 1, max: PAGES + 1 }, 'MemoryOverQuota'],
    ['all that there is', { min: 65_536, max: 65_536 }, 'MemoryOverQuota'],
    ['without saying how much', { min: 1 }, 'MemoryNotDeclared'],
    ['together with another thread', { min: 1, max: 1, shared: true }, 'SharedMemory'],
  ])('%s is refused before any engine sees it', async (_what, memory, code) => {
    const device = await attackedDevice();
    await expect(device.attack(buildModule({ memory }))).rejects.toMatchObject({ code });
    await device.world.clock.advance(1000);
    expect(device.reported).toEqual([`refused: ${code}`]);
    await device.expectUntouched();
  });

  it('gets no more than its maximum, however often it asks', async () => {
    const device = await attackedDevice();
    // Grows by a page a hundred times; exits with the pages that it then has.
    const grow = Array.from({ length: 100 }, () => [...op.i32(1), 0x40, 0x00, ...op.drop]).flat();
    const module = buildModule({
      imports: [imported('wasi_snapshot_preview1', 'proc_exit')],
      memory: { min: 1, max: PAGES },
      start: [...grow, 0x3f, 0x00, ...op.call(0)],
    });
    await device.attack(module);
    await device.world.clock.advance(1);
    expect(device.reported).toEqual([`exit ${PAGES}`]);
    await device.expectUntouched();
  });
});
