/**
 * Stands for: a bundle that was signed and is hostile, and asks for a module of Node by a dynamic import. Even the
 * refusal of one is an object of the host, and leads to its `process`.
 * Held by: a bundle that holds the word at all is not run.
 * Seen to succeed: without that look in `realm.ts` the kernel reads the host's process id.
 */
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeRelease } from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

const HOSTILE = `globalThis.stage = { async start(h) {
  const refusal = await import('node:fs').catch((error) => error);
  h.log('process ' + refusal.constructor.constructor('return process.pid')()); } };`;

export const attack: Attack = {
  name: 'a dynamic import, for the error that comes back',
  stoppedBy: 'StageRefused',
  without: [
    {
      file: 'packages/os/src/board/realm.ts',
      line: 'if (/\\bimport\\b/.test(source)) {',
      instead: 'if (source.length === 0) {',
    },
  ],
  async run() {
    const { board } = makeDevice(manufactureBits(await makeRelease({ kernel: HOSTILE })));
    const outcome = await board.powerOn();
    await board.powerOff();
    if (board.bootLog.includes(`[KERNEL] process ${process.pid}`)) return 'succeeded';
    return outcome.kind === 'stopped' ? outcome.code : board.bootLog.join('\n');
  },
};
