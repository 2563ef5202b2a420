/**
 * Stands for: a thief with the factory's tools who burns another root key hash over the one that is there, to boot an
 * OS of their own with the identity of the chip.
 * Held by: a field that is burnt is locked, and bits that are burnt stay.
 * Seen to succeed: without the lock, and with fuses that take bits back, the chip boots the attacker's OS.
 */
import { CHIP_SKUS } from '@sevenfold/formats';
import { openChip, insecureSeededEntropy } from '@sevenfold/silicon';
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { keys, makeRelease, sha256 } from '../../packages/os/src/board/testing/release.fixture.ts';
import { outcomeOf, type Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'another root key hash, burnt over the first',
  stoppedBy: 'FuseLocked',
  without: [
    {
      file: 'packages/silicon/src/fuses.ts',
      line: 'if (this.isLocked(field)) {',
      instead: 'if (length < 0) {',
    },
    {
      file: 'packages/silicon/src/fuses.ts',
      line: 'if (present.some((byte, index) => (byte & ~(value[index] ?? 0)) !== 0)) {',
      instead: 'if (present.length === 0) {',
    },
    {
      file: 'packages/silicon/src/fuses.ts',
      line: 'if ((old | bits) === old) return;',
      instead: 'if (old === bits) return;',
    },
    {
      file: 'packages/silicon/src/fuses.ts',
      line: "const burnt = old | (course.kind === 'torn' ? bits & course.random.byte() : bits);",
      instead: 'const burnt = bits;',
    },
  ],
  async run() {
    const { fuses } = manufactureBits(await makeRelease());
    const { flash } = manufactureBits(await makeRelease({ version: '6.6.6', root: keys.stranger }));
    const chip = openChip({ flash, fuses, entropy: insecureSeededEntropy('thief') });
    chip.powerOn();
    const burning = await outcomeOf(() =>
      chip.manufacture({ chipSku: CHIP_SKUS['SF-V1'], rootKeyHash: sha256(keys.stranger.spki) }),
    );
    chip.powerOff();
    const { board } = makeDevice({ flash, fuses });
    const outcome = await board.powerOn();
    await board.powerOff();
    return outcome.kind === 'running' ? 'succeeded' : burning;
  },
};
