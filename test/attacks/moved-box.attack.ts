/**
 * Stands for: a sealed blob moved to another chip. What one device sealed is read by another one of the same family
 * that runs the very same software.
 * Held by: the key of every box is derived from the seed that is fused in this chip alone.
 * Seen to succeed: where the derivation leaves the seed out, the other chip opens the box.
 */
import { CHIP_SKUS } from '@sevenfold/formats';
import { insecureSeededEntropy, openChip } from '@sevenfold/silicon';
import {
  blankBits,
  makeDevice,
  manufactureBits,
} from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeRelease, rootKeyHash } from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

/** Two monitors by one signer; a box sealed to the release signer's word opens under both. */
const SEALS = `globalThis.stage = { async start(h) {
  const box = await h.ports.pluton.call('seal', 'authorised', 'app', new Uint8Array([7, 7, 7]));
  h.log('box ' + Array.from(box, (byte) => byte.toString(16).padStart(2, '0')).join('').slice(0, 900)); } };`;
const opens = (box: string): string => `globalThis.stage = { async start(h) {
  const box = new Uint8Array('${box}'.match(/../g).map((pair) => parseInt(pair, 16)));
  h.log('opened: ' + await h.ports.pluton.call('unseal', 'app', box).then((text) => 'succeeded', (e) => e.code)); } };`;

export const attack: Attack = {
  name: 'a sealed box, moved to another chip',
  stoppedBy: 'NotAuthentic',
  without: [
    {
      file: 'packages/silicon/src/pluton.ts',
      line: 'return this.#withSeed((seed) => hkdfSha256(seed, salt, info, length));',
      instead: 'return hkdfSha256(new Uint8Array(32), salt, info, length);',
    },
  ],
  async run() {
    const sealing = makeDevice(manufactureBits(await makeRelease({ monitor: SEALS })));
    await sealing.board.powerOn();
    const box = /box ([0-9a-f]+)/.exec(sealing.board.bootLog.join('\n'))?.[1] ?? '';
    await sealing.board.powerOff();
    const { flash } = manufactureBits(await makeRelease({ monitor: opens(box) }));
    const { fuses } = blankBits();
    const chip = openChip({ flash, fuses, entropy: insecureSeededEntropy('another chip') });
    chip.powerOn();
    chip.manufacture({ chipSku: CHIP_SKUS['SF-V1'], rootKeyHash });
    chip.powerOff();
    const other = makeDevice({ flash, fuses });
    await other.board.powerOn();
    await other.board.powerOff();
    return /opened: (\w+)/.exec(other.board.bootLog.join('\n'))?.[1] ?? other.board.bootLog.join('\n');
  },
};
