import type { PortValue } from '@sevenfold/formats';
import type { BoardNetwork } from '@sevenfold/os';
import { describe, expect, it } from 'vitest';
import { holdTimeDuring } from './held-network.ts';
import { createVirtualClock, runOnVirtualTime } from './virtual-clock.ts';

/** A peer that answers when it wants to, or never. */
function networkThat(answers: () => Promise<PortValue>): BoardNetwork {
  return { handle: answers, close: () => Promise.resolve() };
}
/** After real milliseconds, as any peer outside does. */
const slowNetwork = (milliseconds: number): BoardNetwork =>
  networkThat(() => new Promise((resolve) => setTimeout(() => resolve(null), milliseconds)));

describe('virtual time and the real network', () => {
  it('stands still until the service has answered', async () => {
    const clock = createVirtualClock();
    const network = holdTimeDuring(slowNetwork(40), clock);
    const work = async (): Promise<string> =>
      Promise.race([
        network.handle('httpsRequest', [1, {}]).then(() => 'answered'),
        clock.sleep(1000).then(() => 'timed out'),
      ]);
    expect(await runOnVirtualTime(clock, work())).toBe('answered');
  });

  it('waits a moment, but not for ever, for what an app reads', async () => {
    const clock = createVirtualClock();
    const quick = holdTimeDuring(slowNetwork(5), clock);
    const race = (network: BoardNetwork): Promise<string> =>
      Promise.race([
        network.handle('tlsRead', [1, 100]).then(() => 'read'),
        clock.sleep(1000).then(() => 'timed out'),
      ]);
    expect(await runOnVirtualTime(clock, race(quick))).toBe('read');
    const silent = networkThat(() => new Promise(() => {}));
    expect(await runOnVirtualTime(clock, race(holdTimeDuring(silent, clock)))).toBe('timed out');
  });

  it('does not hold time when the board is off', async () => {
    const clock = createVirtualClock();
    const network = holdTimeDuring(slowNetwork(10), clock);
    const reading = network.handle('tlsRead', [1, 100]);
    await network.close();
    expect(clock.held).toBe(false);
    await reading;
  });
});
