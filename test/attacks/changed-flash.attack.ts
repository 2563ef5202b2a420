/**
 * Stands for: time of check, time of use. A flash chip under the attacker's control gives the signed kernel when it
 * is read for the first time, to be verified, and another one whenever it is read again, to be run.
 * Held by: the bytes that were verified are the bytes that are measured and run: one read.
 * Seen to succeed: where the bundle is read again from flash after it was verified, the other kernel runs.
 */
import { FLASH_MAP, SLOT_PACKAGE_OFFSET, SYSTEM_IMAGE_FILES, utf8Encode } from '@sevenfold/formats';
import type { FlashStorage } from '@sevenfold/silicon';
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { keys, makeImage, makeRelease } from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

const HOSTILE = `globalThis.stage = { async start(h) {
  await h.ports.monitor.call('watchdogKick', 60000); h.log('I was never signed'); } };`;

/** A flash that keeps a second content of one slot for later reads. */
function twoFaced(flash: FlashStorage, second: Uint8Array): FlashStorage {
  const start = FLASH_MAP.system.NormalWorldKernel.A.offset + SLOT_PACKAGE_OFFSET;
  let reads = 0;
  return {
    ...flash,
    read(offset, length) {
      if (offset !== start) return flash.read(offset, length);
      reads += 1;
      return reads === 1 ? flash.read(offset, length) : second.slice(0, length);
    },
  };
}

export const attack: Attack = {
  name: 'flash that changes between check and use',
  stoppedBy: 'verified bytes ran',
  without: [
    {
      file: 'packages/os/src/monitor/boot-chain.ts',
      line: 'const files = parseSignedFileSystem(parseImagePackage(loaded.package).payload);',
      instead: `const place = FLASH_MAP.system[type][loaded.slot];
        const again = await flash.read(place.offset + SLOT_PACKAGE_OFFSET, loaded.package.length);
        const files = parseSignedFileSystem(parseImagePackage(again).payload);`,
    },
    {
      file: 'packages/os/src/monitor/boot-chain.ts',
      line: '  IMAGE_TYPES,\n',
      instead: '  IMAGE_TYPES,\n  FLASH_MAP,\n  SLOT_PACKAGE_OFFSET,\n',
    },
  ],
  async run() {
    const release = await makeRelease();
    const { flash, fuses } = manufactureBits(release);
    const genuine = release.find(({ type }) => type === 'NormalWorldKernel')?.package ?? new Uint8Array(0);
    const build = (padding: number): Uint8Array =>
      makeImage(
        'NormalWorldKernel',
        'kernel 1.0.0',
        [
          { path: SYSTEM_IMAGE_FILES.bundle, bytes: utf8Encode(HOSTILE) },
          { path: SYSTEM_IMAGE_FILES.compartment, bytes: utf8Encode(';'.padEnd(1 + padding)) },
        ],
        { signatureBy: keys.stranger },
      );
    // Of the same length, so that the header of the slot fits both.
    const second = build(genuine.length - build(0).length);
    const { board } = makeDevice({ flash: twoFaced(flash, second), fuses });
    const outcome = await board.powerOn();
    await board.powerOff();
    if (board.bootLog.includes('[KERNEL] I was never signed')) return 'succeeded';
    return outcome.kind === 'running' ? 'verified bytes ran' : board.bootLog.join('\n');
  },
};
