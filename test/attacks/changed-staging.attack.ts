/**
 * Stands for: time of check, time of use while staging. Half of an image is staged, power goes, the attacker changes
 * what lies in flash, and the other half is staged: had the bytes been hashed as they came in, nobody would see it.
 * Held by: digest and signature are checked when all is written, over what lies in flash.
 * Seen to succeed: without that check `stageFinish` lets the image be committed.
 */
import { parseImagePackage, sectorOffset } from '@sevenfold/formats';
import { copyBits, makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeApp, makeRelease, sha256 } from '../../packages/os/src/board/testing/release.fixture.ts';
import { outcomeOf, type Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'flash changed in the midst of staging',
  stoppedBy: 'DigestMismatch',
  without: [
    {
      file: 'packages/os/src/monitor/staging.ts',
      line: 'await this.#verify(staging);',
      instead: 'void this.#verify;',
    },
  ],
  async run() {
    const bits = copyBits(manufactureBits(await makeRelease()));
    const app = makeApp('blink', 20_000);
    const { imageType, componentId, imageId } = parseImagePackage(app).fields;
    const image = { imageType, componentId, imageId, size: app.length, digest: sha256(app) };
    const begin = async ({ call }: ReturnType<typeof makeDevice>): Promise<number> =>
      ((await call('stageBegin', image)) as { readonly stagingId: number }).stagingId;
    const device = makeDevice(bits);
    await device.board.powerOn();
    await device.call('stageWrite', await begin(device), 0, app.subarray(0, 8192));
    await device.board.powerOff();
    const offset = sectorOffset(0) + 5000;
    bits.flash.write(offset, Uint8Array.of(0));
    await device.board.powerOn();
    const stagingId = await begin(device);
    await device.call('stageWrite', stagingId, 8192, app.subarray(8192));
    const outcome = await outcomeOf(async () => {
      await device.call('stageFinish', stagingId);
      await device.call('commit', [stagingId], []);
    });
    await device.board.powerOff();
    return outcome;
  },
};
