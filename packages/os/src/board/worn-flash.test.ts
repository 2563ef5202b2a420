import { describe, expect, it } from 'vitest';
import { FLASH_MAP, FLASH_SECTOR } from '@sevenfold/formats';
import { makeDevice, manufactureBits, settled, stage, type TestDevice } from './testing/device.fixture.ts';
import { makeRelease, makeSystemImage } from './testing/release.fixture.ts';

async function running(): Promise<TestDevice> {
  const device = makeDevice(manufactureBits(await makeRelease()));
  await device.board.powerOn();
  return device;
}

const nameOf = async (device: TestDevice): Promise<string> => {
  const { stages } = (await device.call('bootInfo')) as { stages: readonly { name: string }[] };
  return stages.map(({ name }) => name).find((name) => name.startsWith('services')) ?? '';
};

describe('a device whose flash wears out', () => {
  it('refuses an update into a worn slot, says why, and goes on with what it has', async () => {
    const device = await running();
    // Slot A runs: the update goes to B.
    const { offset } = FLASH_MAP.system.Services.B;
    device.chip.flash.wearOut(offset + FLASH_SECTOR);
    const image = await makeSystemImage('Services', { version: '2.0.0', securityVersion: 2 });
    await expect(stage(device, image)).rejects.toMatchObject({ code: 'FlashWorn' });
    await device.board.powerOff();
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    expect(await nameOf(device)).toBe('services 1.0.0');
    await device.board.powerOff();
  });

  it('commits as long as one other sector takes a boot record, and is never without one', async () => {
    const device = await running();
    const worn = [1, 2];
    for (const sector of worn) device.chip.flash.wearOut(FLASH_MAP.bootRecord.offset + sector * FLASH_SECTOR);
    const update = async (version: string, securityVersion: number): Promise<unknown> => {
      const id = await stage(device, await makeSystemImage('Services', { version, securityVersion }));
      return device.call('commit', [id], []);
    };
    expect(await update('2.0.0', 2)).toEqual({ restartRequired: true });
    await device.call('restart').catch(() => {});
    expect(await settled(device)).toBe('running');
    await device.call('confirmHealthy');
    expect(await nameOf(device)).toBe('services 2.0.0');

    // The last one that took it is the only one left: it is not given up for a record that might not hold.
    device.chip.flash.wearOut(FLASH_MAP.bootRecord.offset);
    await expect(update('3.0.0', 3)).rejects.toMatchObject({ code: 'FlashWorn' });
    await device.board.powerOff();
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    expect(await nameOf(device)).toBe('services 2.0.0');
    await device.board.powerOff();
  });

  it('boots the good copy, or stops with the layer’s own error, however often its flash is read', async () => {
    const device = await running();
    device.chip.flash.layWear({ endurance: 100_000, readsToDisturb: 12, seed: 11 });
    const outcomes = new Set<string>();
    for (let boots = 0; boots < 20; boots++) {
      await device.board.powerOff();
      const outcome = await device.board.powerOn();
      outcomes.add(outcome.kind === 'stopped' ? outcome.code : outcome.kind);
      if (outcome.kind !== 'running') break;
      expect(await nameOf(device)).toBe('services 1.0.0');
    }
    for (const outcome of outcomes)
      expect(['running', 'NoBootableImage', 'MissingContent']).toContain(outcome);
    await device.board.powerOff();
  });
});
