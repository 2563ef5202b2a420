/**
 * Stands for: mix-and-match of slots. Two apps of one device, both properly signed; the slot of one is overwritten
 * with the other, which has other capabilities, or with an older build of itself.
 * Held by: the boot record names the image id of each slot, and the monitor compares it with what it has verified.
 * Seen to succeed: without the comparison in `Images.loadApplication` the kernel is handed the other image.
 */
import { FLASH_SECTOR, applicationPlace, parseImagePackage } from '@sevenfold/formats';
import { makeDevice, manufactureBits, stage } from '../../packages/os/src/board/testing/device.fixture.ts';
import { APP_COMPONENT, makeApp, makeRelease } from '../../packages/os/src/board/testing/release.fixture.ts';
import { outcomeOf, type Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'the slot of one app filled with another',
  stoppedBy: 'ImageIdentityInconsistency',
  without: [
    {
      file: 'packages/os/src/monitor/images.ts',
      line: 'if (image.componentId !== componentId || image.imageId !== application.imageId) {',
      instead: 'if (image.componentId.length === 0) {',
    },
  ],
  async run() {
    const device = makeDevice(manufactureBits(await makeRelease()));
    await device.board.powerOn();
    const other = '99999999-2222-4333-8444-555555555555';
    const theirs = makeApp('theirs', 5000, { componentId: other });
    for (const app of [makeApp('mine', 5000), theirs])
      await device.call('commit', [await stage(device, app)], []);
    const { flash } = device.chip;
    const [mine, their] = [applicationPlace(0, []).header, applicationPlace(1, []).header];
    const copied = flash.read(their, FLASH_SECTOR);
    flash.erase(mine, FLASH_SECTOR);
    flash.program(mine, copied);
    const outcome = await outcomeOf(async () => {
      const loaded = (await device.call('loadApplication', APP_COMPONENT)) as Uint8Array;
      if (parseImagePackage(loaded).fields.componentId !== other) throw new Error('its own');
    });
    await device.board.powerOff();
    return outcome;
  },
};
