/**
 * Stands for: flooding a mailbox. A hostile kernel has millions of calls wait at the monitor, each with as many bytes
 * as a call may have, until the monitor, or the process that they all share, has no memory left.
 * Held by: a stage has a bounded number of calls under way; more are refused before they leave its realm.
 * Seen to succeed: without the bound in `realm.ts` five thousand calls are waiting at once.
 */
import { makeDevice, manufactureBits } from '../../packages/os/src/board/testing/device.fixture.ts';
import { makeRelease } from '../../packages/os/src/board/testing/release.fixture.ts';
import type { Attack } from './testing/attack.ts';

const FLOOD = 5000;
const HOSTILE = `globalThis.stage = { async start(h) {
  h.serve(async () => null);
  await h.ports.monitor.call('watchdogKick', 600000);
  const counts = {};
  const count = (code) => { counts[code] = (counts[code] || 0) + 1; };
  const all = [];
  for (let n = 0; n < ${FLOOD}; n++) all.push(h.ports.monitor.call('sha256', new Uint8Array(1)).then(() => count('answered'), (e) => count(e.code)));
  await Promise.all(all);
  await h.ports.monitor.call('random', 1);
  h.log('counts ' + JSON.stringify(counts)); } };`;

export const attack: Attack = {
  name: 'a mailbox flooded with calls',
  stoppedBy: 'TooManyCalls',
  without: [
    {
      file: 'packages/os/src/board/realm.ts',
      line: 'if (underWay >= MOST_CALLS) {',
      instead: 'if (underWay < 0) {',
    },
  ],
  async run() {
    const { board } = makeDevice(manufactureBits(await makeRelease({ kernel: HOSTILE })));
    await board.powerOn();
    const counts = JSON.parse(/counts (\{.*\})/.exec(board.bootLog.join('\n'))?.[1] ?? '{}') as Readonly<
      Record<string, number>
    >;
    await board.powerOff();
    if (counts['answered'] === FLOOD) return 'succeeded';
    return (counts['TooManyCalls'] ?? 0) > 0 ? 'TooManyCalls' : board.bootLog.join('\n');
  },
};
