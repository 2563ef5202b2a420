import {
  IMAGE_TYPES,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  encodeUnsignedImagePackage,
  finishImagePackage,
  utf8Encode,
  writeFileSystem,
} from '@sevenfold/formats';
import { generateKeyPair, signWithPkcs8, type KeyPair } from '@sevenfold/pki';
import type { ReleaseSigner } from '../os-release.ts';

/** Well-formed packages of all system types, with nothing in them that could run: enough for a factory. */
export function emptySystemImages(seed = 1) {
  return SYSTEM_IMAGE_TYPES.map((type) => {
    const payload = writeFileSystem([{ path: '/content', bytes: utf8Encode(`${type} ${seed}`) }]);
    const unsigned = encodeUnsignedImagePackage(payload, {
      imageType: IMAGE_TYPES[type],
      componentId: SYSTEM_COMPONENT_IDS[type],
      imageId: `00000000-0000-4000-8000-${String(seed).padStart(12, '0')}`,
      name: type,
      buildTime: 0,
      signerThumbprint: new Uint8Array(20),
      securityVersion: { version: 1, chipSku: 1 },
    });
    return { type, package: finishImagePackage(unsigned, new Uint8Array(64)) };
  });
}

/** A key that signs, held in memory. */
export function makeSigner(): ReleaseSigner & { readonly pair: KeyPair } {
  const pair = generateKeyPair();
  return {
    pair,
    spki: pair.spki,
    sign: (message) => Promise.resolve(signWithPkcs8(pair.pkcs8, message)),
  };
}
