/**
 * Stands for: device nodes in the image file system, with which apps of the original platform opened devices that
 * their manifest did not name.
 * Held by: the parser knows plain files and directories and refuses every other mode.
 * Seen to succeed: where the parser takes a character device for a file, the image holds `/ttyS0`.
 */
import { parseFileSystem } from '@sevenfold/formats';
import { outcomeOf, type Attack } from './testing/attack.ts';
import { forgedFileSystem, inodeOf } from './testing/file-system.ts';

export const attack: Attack = {
  name: 'a device node in an image',
  stoppedBy: 'UnsupportedNodeType',
  without: [
    {
      file: 'packages/formats/src/asxipfs-parser.ts',
      line: 'case 0o100000:',
      instead: 'case 0o020000: case 0o100000:',
    },
    {
      file: 'packages/formats/src/asxipfs-parser.ts',
      line: 'if (inode.mode !== FILE_SYSTEM_LAYOUT.fileMode && inode.mode !== FILE_SYSTEM_LAYOUT.executableMode) {',
      instead: 'if (inode.mode < 0) {',
    },
    {
      file: 'packages/formats/src/asxipfs-parser.ts',
      line: 'if (!this.#isCanonical()) {',
      instead: 'if (this.#files === null) {',
    },
  ],
  run() {
    const image = forgedFileSystem([{ path: '/ttyS0', bytes: new Uint8Array(0) }], (view, bytes) =>
      view.setUint16(inodeOf(bytes, 'ttyS0'), 0o020644, true),
    );
    return outcomeOf(() => {
      if (!parseFileSystem(image).paths().includes('/ttyS0')) throw new Error('left out');
    });
  },
};
