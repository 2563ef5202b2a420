/**
 * Stands for: oversize lengths in metadata, which make a parser read past its bytes, or take what is not signed for
 * what is.
 * Held by: the stated length of the metadata is compared with the room there is before anything is taken from it.
 * Seen to succeed: without that comparison, and with a parser that starts anywhere, the payload of the image becomes
 * its metadata.
 */
import { parseImagePackage } from '@sevenfold/formats';
import { makeImage } from '../../packages/os/src/board/testing/release.fixture.ts';
import { outcomeOf, type Attack } from './testing/attack.ts';

export const attack: Attack = {
  name: 'metadata that states to be longer than its package',
  stoppedBy: 'InvalidMetadata',
  without: [
    {
      file: 'packages/formats/src/image-package.ts',
      line: 'metadataLength >= unsigned.length',
      instead: 'metadataLength < 0',
    },
    {
      file: 'packages/formats/src/image-package.ts',
      line: 'metadataLength > MAX_METADATA_LENGTH ||',
      instead: 'MAX_METADATA_LENGTH < 0 ||',
    },
  ],
  run() {
    const genuine = makeImage('Services', 'services', [], { fields: { temporaryFlags: 1 } });
    const { payload } = parseImagePackage(genuine);
    // What is left of it is metadata and signature: no payload at all, and a length that reaches before the start.
    const headless = genuine.slice(payload.length);
    const view = new DataView(headless.buffer);
    const length = headless.length - 64;
    view.setUint32(length - 4, length, true);
    return outcomeOf(() => {
      if (parseImagePackage(headless).payload.length > 0) throw new Error('has a payload');
    });
  },
};
