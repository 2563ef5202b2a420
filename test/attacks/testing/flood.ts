import { makeDevice, manufactureBits } from '../../../packages/os/src/board/testing/device.fixture.ts';
import { makeRelease } from '../../../packages/os/src/board/testing/release.fixture.ts';

/** A hostile kernel makes `calls` calls to the monitor at once, each with `bytes` bytes; afterwards one honest call. */
export async function flood(calls: number, bytes: number): Promise<string> {
  const kernel = `globalThis.stage = { async start(h) {
    h.serve(async () => null);
    await h.ports.monitor.call('watchdogKick', 600000);
    const counts = {};
    const count = (code) => { counts[code] = (counts[code] || 0) + 1; };
    const all = [];
    const load = new Uint8Array(${bytes});
    for (let n = 0; n < ${calls}; n++) all.push(h.ports.monitor.call('sha256', load).then(() => count('answered'), (e) => count(e.code)));
    await Promise.all(all);
    await h.ports.monitor.call('random', 1);
    h.log('counts ' + JSON.stringify(counts)); } };`;
  const { board } = makeDevice(manufactureBits(await makeRelease({ kernel })));
  await board.powerOn();
  const counts = JSON.parse(/counts (\{.*\})/.exec(board.bootLog.join('\n'))?.[1] ?? '{}') as Readonly<
    Record<string, number>
  >;
  await board.powerOff();
  if (counts['answered'] === calls) return 'succeeded';
  return (counts['TooManyCalls'] ?? 0) > 0 ? 'TooManyCalls' : board.bootLog.join('\n');
}
