/**
 * Stands for: a replayed old keystore. The image that a newer keystore revokes shall run again, so the older keystore,
 * signed by the root like the newer one, is put back into flash together with it.
 * Held by: a keystore's version is its security version, and the fuses count it.
 * Seen to succeed: without the comparison of versions in `verifyImage` the revoked kernel runs.
 */
import { writeSlot } from '@sevenfold/silicon';
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import {
  makeRelease,
  makeSystemImage,
  revocationOf,
} from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'an old keystore, replayed to take back a revocation',
  stoppedBy: 'SecurityVersionTooLow',
  without: [
    {
      file: 'packages/formats/src/abi/verify-image.ts',
      line: 'if (securityVersion.version < leastSecurityVersion) {',
      instead: 'if (Number(leastSecurityVersion) < 0) {',
    },
  ],
  async run() {
    const revoked = await makeSystemImage('NormalWorldKernel', { version: '1.0.0' });
    const before = await makeSystemImage('TrustedKeystore', { keystoreVersion: 1 });
    const release = await makeRelease({
      version: '1.1.0',
      keystoreVersion: 2,
      revoked: [revocationOf(revoked)],
    });
    const { chip, board } = makeDevice(manufactureBits(release));
    await board.powerOn();
    await board.powerOff();
    chip.powerOn();
    for (const slot of ['A', 'B'] as const) {
      writeSlot(chip.flash, 'TrustedKeystore', slot, before);
      writeSlot(chip.flash, 'NormalWorldKernel', slot, revoked);
    }
    chip.powerOff();
    const outcome = await board.powerOn();
    await board.powerOff();
    if (outcome.kind === 'running') return 'succeeded';
    return /refused: (\w+)/.exec(board.bootLog.join('\n'))?.[1] ?? outcome.kind;
  },
};
