/**
 * Stands for: an image of another type. The signer of services is careless; what it signed as services is put where
 * the kernel belongs, and would run with the kernel's ports.
 * Held by: type and component are in the signed metadata, and whoever loads says which it wants. Pluton, which counts
 * what it measured by its own type, then has no kernel to count.
 * Seen to succeed: without the comparisons of type and component in `verifyImage`, and without that of Pluton, it
 * runs as the kernel.
 */
import { SYSTEM_IMAGE_FILES, utf8Encode } from '@sevenfold/formats';
import { writeSlot } from '@sevenfold/silicon';
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeImage, makeRelease } from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

const HOSTILE = `globalThis.stage = { async start(h) {
  await h.ports.monitor.call('watchdogKick', 60000); h.log('I am the kernel'); } };`;

export const attack: Attack = {
  name: 'signed services in the place of the kernel',
  stoppedBy: 'WrongImageType',
  without: [
    {
      file: 'packages/formats/src/abi/verify-image.ts',
      line: 'if (fields.imageType !== imageType) {',
      instead: 'if (fields.imageType < 0) {',
    },
    {
      file: 'packages/formats/src/abi/verify-image.ts',
      line: 'if (componentId !== undefined && fields.componentId !== componentId) {',
      instead: 'if (componentId === fields.imageId) {',
    },
    {
      file: 'packages/os/src/pluton/calls.ts',
      line: 'if (!running.some((entry) => entry.securityVersion >= version)) {',
      instead: 'if (running === null) {',
    },
  ],
  async run() {
    const { chip, board } = makeDevice(manufactureBits(await makeRelease()));
    const image = makeImage('Services', 'services 1.0.1', [
      { path: SYSTEM_IMAGE_FILES.bundle, bytes: utf8Encode(HOSTILE) },
      { path: SYSTEM_IMAGE_FILES.compartment, bytes: utf8Encode(';') },
    ]);
    await board.powerOn();
    await board.powerOff();
    chip.powerOn();
    for (const slot of ['A', 'B'] as const) writeSlot(chip.flash, 'NormalWorldKernel', slot, image);
    chip.powerOff();
    await board.powerOn();
    await board.powerOff();
    if (board.bootLog.includes('[KERNEL] I am the kernel')) return 'succeeded';
    return /refused: (\w+)/.exec(board.bootLog.join('\n'))?.[1] ?? board.bootLog.join('\n');
  },
};
