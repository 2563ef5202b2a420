import { describe, expect, it } from 'vitest';
import { buildModule } from '../../../packages/os/src/kernel/testing/wasm-builder.ts';
import { attackedDevice } from './attack.ts';

const MOST = 16_384;

describe('a module whose tables take memory that nobody counts', () => {
  it.each<[string, { min: number; max?: number; type?: number }, string]>([
    ['one that is too large', { min: 1, max: MOST + 1 }, 'TableTooLarge'],
    ['one that begins too large', { min: 10_000_000, max: 10_000_000 }, 'TableTooLarge'],
    ['one without end', { min: 1 }, 'TableTooLarge'],
    ['one of references to the host', { min: 1, max: 1, type: 0x6f }, 'UnsupportedFeature'],
  ])('%s is refused', async (_what, table, code) => {
    const device = await attackedDevice();
    await expect(device.attack(buildModule({ table }))).rejects.toMatchObject({ code });
    await device.world.clock.advance(1000);
    expect(device.reported).toEqual([`refused: ${code}`]);
    await device.expectUntouched();
  });

  it('may have what a program of a megabyte needs', async () => {
    const device = await attackedDevice();
    await device.attack(buildModule({ table: { min: MOST, max: MOST } }));
    await device.world.clock.advance(1);
    expect(device.reported).toEqual(['exit 0']);
  });
});
