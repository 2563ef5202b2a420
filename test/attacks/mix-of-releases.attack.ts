/**
 * Stands for: mix-and-match of slots. Images of two releases, each signed and recent enough, put together so that
 * one relies on checks that the layer below it does not make yet.
 * Held by: each image states the interfaces that it needs, and is measured only over layers that offer them.
 * Seen to succeed: without the refusal in `hasItsInterfaces` the newer services run on the older kernel.
 */
import { ABI_KINDS } from '@sevenfold/formats';
import { writeSlot } from '@sevenfold/silicon';
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeRelease, makeSystemImage } from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'services of a newer release over an older kernel',
  stoppedBy: 'AbiNotProvided',
  without: [
    {
      file: 'packages/formats/src/abi/verify-image.ts',
      line: 'if (provided.some((offer) => offer.kind === kind && offer.version >= version)) continue;',
      instead: 'if (provided.length >= 0) continue;',
    },
  ],
  async run() {
    const { chip, board } = makeDevice(manufactureBits(await makeRelease()));
    const needs = { fields: { abiDepends: [{ kind: ABI_KINDS.OSRuntime, version: 99 }] } };
    const newer = await makeSystemImage('Services', { version: '9.0.0' }, needs);
    chip.powerOn();
    for (const slot of ['A', 'B'] as const) writeSlot(chip.flash, 'Services', slot, newer);
    chip.powerOff();
    const outcome = await board.powerOn();
    await board.powerOff();
    if (outcome.kind === 'running') return 'succeeded';
    return /refused: (\w+)/.exec(board.bootLog.join('\n'))?.[1] ?? outcome.kind;
  },
};
