import { describe, expect, it } from 'vitest';
import {
  FLASH_MAP,
  FLASH_SECTOR,
  applicationPlace,
  parseImagePackage,
  sectorOffset,
} from '@sevenfold/formats';
import { makeDevice, manufactureBits, settled, stage, type TestDevice } from './testing/device.fixture.ts';
import { APP_COMPONENT, makeApp, makeRelease, makeSystemImage, sha256 } from './testing/release.fixture.ts';

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

  it('puts an app elsewhere where a sector of it has worn out, or the one that names its sectors', async () => {
    const device = await running();
    const load = async () => Buffer.from((await device.call('loadApplication', APP_COMPONENT)) as Uint8Array);
    const install = async (image: Uint8Array): Promise<unknown> =>
      device.call('commit', [await stage(device, image)], []);
    const first = makeApp('first', 40_000);
    for (const worn of [sectorOffset(2), sectorOffset(5), applicationPlace(0, []).header]) {
      device.chip.flash.wearOut(worn);
      await expect(install(first)).rejects.toMatchObject({ code: 'FlashWorn' });
    }
    await install(first);
    expect((await load()).equals(first)).toBe(true);
    // Half of it is there when power goes; the sector that wears out then is one that comes later.
    const second = makeApp('second', 80_000);
    const { imageType, componentId, imageId } = parseImagePackage(second).fields;
    const header = { imageType, componentId, imageId, size: second.length, digest: sha256(second) };
    const { stagingId } = (await device.call('stageBegin', header)) as { readonly stagingId: number };
    await device.call('stageWrite', stagingId, 0, second.subarray(0, 40_960));
    await device.board.powerOff();
    await device.board.powerOn();
    for (let n = 20; n < 40; n++) device.chip.flash.wearOut(sectorOffset(n));
    for (let tries = 0; tries < 30; tries++) {
      if ((await install(second).catch(() => null)) !== null) break;
    }
    expect((await load()).equals(second)).toBe(true);
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
