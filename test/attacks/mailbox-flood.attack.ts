/**
 * Stands for: flooding a mailbox. A hostile kernel has millions of calls wait at the monitor, until the monitor, or the
 * process that they all share, has no memory left.
 * Held by: a stage has a bounded number of calls under way; more are refused before they leave its realm.
 * Seen to succeed: without the bound in `realm.ts` five thousand calls are waiting at once.
 */
import type { Attack } from './testing/attack.ts';
import { flood } from './testing/flood.ts';

export const attack: Attack = {
  name: 'a mailbox flooded with calls',
  stoppedBy: 'TooManyCalls',
  without: [
    {
      file: 'packages/os/src/board/realm.ts',
      line: 'const args = underWay < MOST_CALLS ?',
      instead: 'const args = underWay >= 0 ?',
    },
  ],
  run: () => flood(5000, 1),
};
