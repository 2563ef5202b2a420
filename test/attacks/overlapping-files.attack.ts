/**
 * Stands for: overlapping file-system entries. A file that nobody minds and one that matters share their bytes, so
 * that who judges the image by one of them judges another content than the one that runs.
 * Held by: no two entries may share a byte, and the whole image must be the one that its files have.
 * Seen to succeed: without both checks in `asxipfs-parser.ts` two paths give the same bytes of the image.
 */
import { parseFileSystem } from '@sevenfold/formats';
import { outcomeOf, type Attack } from './testing/attack.ts';
import { forgedFileSystem, inodeOf } from './testing/file-system.ts';

const NOT_CANONICAL = {
  file: 'packages/formats/src/asxipfs-parser.ts',
  line: 'if (!this.#isCanonical()) {',
  instead: 'if (this.#files === null) {',
};

export const attack: Attack = {
  name: 'two files on the same bytes',
  stoppedBy: 'OverlappingEntries',
  without: [
    NOT_CANONICAL,
    {
      file: 'packages/formats/src/asxipfs-parser.ts',
      line: 'if (next !== undefined && next.start < extent.end) {',
      instead: 'if (next !== undefined && next.start < 0) {',
    },
  ],
  run() {
    const image = forgedFileSystem(
      [
        { path: '/good', bytes: new Uint8Array(100).fill(1) },
        { path: '/evil', bytes: new Uint8Array(100).fill(2) },
      ],
      (view, bytes) => {
        const [good, evil] = [inodeOf(bytes, 'good'), inodeOf(bytes, 'evil')];
        view.setUint32(good + 8, view.getUint32(evil + 8, true), true);
      },
    );
    return outcomeOf(() => {
      const files = parseFileSystem(image);
      if (files.read('/good')?.[0] !== 2) throw new Error('kept apart');
    });
  },
};
