/**
 * Stands for: a thief with a flash programmer who puts back an older OS, signed and once good, because of a hole that
 * the newer one mended.
 * Held by: the fused security version, asked by every layer of the next one.
 * Seen to succeed: without the comparison in `verifyImage` the old OS boots.
 */
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeRelease } from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'a downgrade with a flash programmer',
  stoppedBy: 'SecurityVersionTooLow',
  without: [
    {
      file: 'packages/formats/src/abi/verify-image.ts',
      line: 'if (securityVersion.version < leastSecurityVersion) {',
      instead: 'if (Number(leastSecurityVersion) < 0) {',
    },
  ],
  async run() {
    const current = manufactureBits(await makeRelease({ version: '2.0.0', securityVersion: 2 }));
    const device = makeDevice(current);
    await device.board.powerOn();
    await device.board.powerOff();
    // Its fuses say 2 now. The flash of an older device of the same family takes the place of its own.
    const { flash } = manufactureBits(await makeRelease({ version: '1.0.0', securityVersion: 1 }));
    const { board } = makeDevice({ flash, fuses: current.fuses });
    const outcome = await board.powerOn();
    await board.powerOff();
    if (outcome.kind === 'running') return 'succeeded';
    return /refused: (\w+)/.exec(board.bootLog.join('\n'))?.[1] ?? outcome.kind;
  },
};
