/**
 * Stands for: path tricks. A file named `..` or `a/b` in an image, so that whoever unpacks or joins paths writes or
 * reads beside the image.
 * Held by: names that are no plain names are refused, and the whole image must be the one that its files have.
 * Seen to succeed: without the check of names in `asxipfs-parser.ts` the image lists a file in its parent's place.
 */
import { parseFileSystem } from '@sevenfold/formats';
import { outcomeOf, type Attack } from './testing/attack.ts';
import { forgedFileSystem, inodeOf } from './testing/file-system.ts';

export const attack: Attack = {
  name: 'a path that leads out of its image',
  stoppedBy: 'InvalidFileName',
  without: [
    {
      file: 'packages/formats/src/asxipfs-parser.ts',
      line: "if (text === '' || text === '.' || text === '..' || text.includes('/')) {",
      instead: "if (text === '') {",
    },
    {
      file: 'packages/formats/src/asxipfs-parser.ts',
      line: 'if (!this.#isCanonical()) {',
      instead: 'if (this.#files === null) {',
    },
  ],
  run() {
    const path = '/../../etc/passwd';
    const image = forgedFileSystem(
      [{ path: `/${'x'.repeat(path.length - 1)}`, bytes: Uint8Array.of(1) }],
      (_, bytes) => bytes.set(Buffer.from(path.slice(1)), inodeOf(bytes, 'xxxx') + 12),
    );
    return outcomeOf(() => {
      if (parseFileSystem(image).read(path) === null) throw new Error('not found');
    });
  },
};
