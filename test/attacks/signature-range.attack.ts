/**
 * Stands for: a signature over the wrong range. It covers the payload, and the attacker changes what the metadata
 * says of it: here an app becomes another component, with that one's storage.
 * Held by: what is signed is everything before the signature, the metadata and their length included.
 * Seen to succeed: where `parseImagePackage` takes the payload alone for what is signed, the changed app is accepted.
 */
import {
  CHIP_SKUS,
  IMAGE_TYPES,
  encodeUnsignedImagePackage,
  finishImagePackage,
  imageUse,
  parseImagePackage,
  signedBytesOf,
  verifyImage,
} from '@sevenfold/formats';
import { CHIP_ENGINES } from '@sevenfold/silicon';
import { keys, makeApp, signWith } from '../../packages/os/src/board/testing/release.fixture.ts';
import { outcomeOf, type Attack } from './testing/attack.ts';

const signer = keys.service;
const policy = {
  imageType: IMAGE_TYPES.Applications,
  chipSku: CHIP_SKUS['SF-V1'],
  leastSecurityVersion: 0,
  keys: [{ ...signer, uses: [imageUse(IMAGE_TYPES.Applications)] }],
  revokedImageDigests: [],
  needsSecondSignature: false,
  provided: null,
};
export const attack: Attack = {
  name: 'metadata changed under a signature',
  stoppedBy: 'BadSignature',
  without: [
    {
      file: 'packages/formats/src/image-package.ts',
      line: 'signedMetadata: isPlain ? metadata : withoutSignatures(metadata),',
      instead: 'signedMetadata: isPlain ? new Uint8Array(0) : withoutSignatures(metadata),',
    },
  ],
  async run() {
    const { payload, fields } = parseImagePackage(makeApp('blink'));
    const genuine = encodeUnsignedImagePackage(payload, fields);
    const unsigned = parseImagePackage(finishImagePackage(genuine, new Uint8Array(64)));
    const signature = signWith(signer, signedBytesOf(unsigned));
    await verifyImage(finishImagePackage(genuine, signature), policy, CHIP_ENGINES);
    const componentId = '99999999-2222-4333-8444-555555555555';
    const changed = encodeUnsignedImagePackage(payload, { ...fields, componentId });
    return outcomeOf(() => verifyImage(finishImagePackage(changed, signature), policy, CHIP_ENGINES));
  },
};
