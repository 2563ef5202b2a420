/**
 * Stands for: a release for another chip SKU, say a virtual one whose owner holds its keys, on this chip: the same
 * root, the same signers.
 * Held by: the SKU is in the signed metadata of every image of the system, and in the fuses.
 * Seen to succeed: without the comparison in `verifyImage` it boots.
 */
import { CHIP_SKUS } from '@sevenfold/formats';
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeRelease } from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'an OS for another chip SKU',
  stoppedBy: 'WrongChipSku',
  without: [
    {
      file: 'packages/formats/src/abi/verify-image.ts',
      line: 'if (securityVersion.chipSku !== chipSku) {',
      instead: 'if (Number(chipSku) < 0) {',
    },
  ],
  async run() {
    const chipSku = CHIP_SKUS['SF-V1'] + 1;
    const { board } = makeDevice(manufactureBits(await makeRelease(), { chipSku }));
    const outcome = await board.powerOn();
    await board.powerOff();
    if (outcome.kind === 'running') return 'succeeded';
    return /refused: (\w+)/.exec(board.bootLog.join('\n'))?.[1] ?? outcome.kind;
  },
};
