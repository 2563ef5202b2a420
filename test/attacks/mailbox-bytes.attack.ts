/**
 * Stands for: flooding a mailbox with few calls that are large. A thousand calls of the largest size are 32 GiB that
 * whoever is called has to keep.
 * Held by: what a stage has under way is bounded in bytes as well as in calls.
 * Seen to succeed: without the bound in `realm.ts` a hundred calls with a mebibyte each are waiting at once.
 */
import type { Attack } from './testing/attack.ts';
import { flood } from './testing/flood.ts';

export const attack: Attack = {
  name: 'a mailbox flooded with bytes',
  stoppedBy: 'TooManyCalls',
  without: [
    {
      file: 'packages/os/src/board/realm.ts',
      line: 'if (args === null || bytesUnderWay + weight > MOST_BYTES) {',
      instead: 'if (args === null) {',
    },
  ],
  run: () => flood(100, 1024 * 1024),
};
