import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHIP_SKUS, IMAGE_TYPES, SYSTEM_IMAGE_TYPES } from './abi/image-types.ts';
import { concatBytes, fromHex, toHex, viewOf } from './bytes.ts';
import { type ImageFields, SECOND_SIGNATURE_LENGTH, truncateImageName } from './image-metadata.ts';
import {
  encodeUnsignedImagePackage,
  finishImagePackage,
  type ImagePackage,
  MAX_IMAGE_PACKAGE_LENGTH,
  parseImagePackage,
  signedBytesOf,
  replaceSigner,
} from './image-package.ts';
import { guidFromRandom } from './guid.ts';
import { codeOf, strictnessSuite } from './testing/strictness.ts';

/** What a package says that the platform's own SDK built: AzureSphereBlinkTest (azure-sphere.md §2.4). */
const BLINK: ImageFields = {
  imageType: IMAGE_TYPES.Applications,
  componentId: '2f074b0f-d99d-4692-82d9-ef93a7d6463c',
  imageId: '6415a939-c098-48cf-8e5c-02b52a9f0ffb',
  name: 'AzureSphereBlinkTest',
  buildTime: 0x62a20a6c,
  signerThumbprint: fromHex('a8d5cc6958f48710140d7a26160fc1cfc31f5df0'),
  temporaryFlags: 2,
  abiDepends: [{ version: 12, kind: 3 }],
};
const SYSTEM: ImageFields = {
  imageType: IMAGE_TYPES.NormalWorldKernel,
  componentId: '7f1d0007-5e7e-4f01-8d00-000000000007',
  imageId: '00000000-0000-4000-8000-000000000001',
  name: 'kernel 26.11.0',
  buildTime: 1_800_000_000,
  signerThumbprint: new Uint8Array(20).fill(7),
  abiProvides: [
    { version: 1, kind: 2 },
    { version: 16, kind: 3 },
  ],
  securityVersion: { version: 3, chipSku: CHIP_SKUS['SF-V1'] },
};
const TWICE: ImageFields = {
  ...SYSTEM,
  secondSignature: new Uint8Array(SECOND_SIGNATURE_LENGTH).fill(3),
  makerSignature: new Uint8Array(SECOND_SIGNATURE_LENGTH).fill(4),
};
const PAYLOAD = new Uint8Array(4096).fill(0xa5);
const SIGNATURE = Uint8Array.from({ length: 64 }, (_, index) => index);

const pack = (fields: ImageFields): Uint8Array =>
  finishImagePackage(encodeUnsignedImagePackage(PAYLOAD, fields), SIGNATURE);
const repack = (image: ImagePackage): Uint8Array =>
  finishImagePackage(encodeUnsignedImagePackage(image.payload, image.fields), image.signature);

/** A package whose metadata block is changed, its own length word and all. */
function withMetadata(change: (metadata: Uint8Array, view: DataView) => Uint8Array | void): Uint8Array {
  const whole = pack(BLINK);
  const metadata = whole.slice(PAYLOAD.length, whole.length - 64);
  const result = change(metadata, viewOf(metadata)) ?? metadata;
  return concatBytes(PAYLOAD, result, SIGNATURE);
}

/** A metadata block of these sections, well-formed otherwise. */
function metadataOf(...sections: readonly string[]): Uint8Array {
  const body = fromHex(sections.join(''));
  const block = new Uint8Array(8 + body.length + 4);
  viewOf(block).setUint32(0, 0x4d345834, true);
  viewOf(block).setUint32(4, sections.length, true);
  block.set(body, 8);
  viewOf(block).setUint32(8 + body.length, block.length, true);
  return block;
}

const ID = `494424000a000000${'11'.repeat(32)}`;
const SG = `53471800${'22'.repeat(20)}01000000`;
const ND = `4e441c0003000000${'0100000001000000'.repeat(3)}`;
const NP = ND.replace('4e44', '4e50');
const DB = `44422800${'00'.repeat(8)}41${'00'.repeat(31)}`;

describe('image package', () => {
  it('has the metadata of the original byte for byte: 148 bytes for the five standard sections', () => {
    const unsigned = encodeUnsignedImagePackage(PAYLOAD, BLINK);
    const expected = [
      '3458344d 05000000', // 4X4M, five sections
      '4944 2400 0a00 0000 0f4b072f9dd9924682d9ef93a7d6463c 39a9156498c0cf488e5c02b52a9f0ffb',
      '5347 1800 a8d5cc6958f48710140d7a26160fc1cfc31f5df0 01000000',
      `4442 2800 6c0aa26200000000 417a757265537068657265426c696e6b54657374${'00'.repeat(12)}`,
      '5450 0400 02000000',
      '4e44 0c00 01000000 0c000000 03000000',
      '94000000',
    ];
    expect(unsigned.length - PAYLOAD.length).toBe(148);
    expect(toHex(unsigned.subarray(PAYLOAD.length))).toBe(expected.join('').replaceAll(' ', ''));
  });

  it('reads back what it wrote', () => {
    for (const fields of [BLINK, SYSTEM]) {
      const image = parseImagePackage(pack(fields));
      expect(image.fields).toEqual(fields);
      expect(image.payload).toEqual(PAYLOAD);
      expect(image.signature).toEqual(SIGNATURE);
      expect(concatBytes(signedBytesOf(image), image.signature)).toEqual(pack(fields));
    }
  });

  it('adds the security version as a section of its own', () => {
    const hex = toHex(encodeUnsignedImagePackage(PAYLOAD, SYSTEM));
    expect(hex).toContain('535608000300000001000000');
  });

  it('covers everything but the signatures, which stand in sections of their own', () => {
    const unsigned = encodeUnsignedImagePackage(PAYLOAD, {
      ...TWICE,
      secondSignature: new Uint8Array(SECOND_SIGNATURE_LENGTH),
      makerSignature: new Uint8Array(SECOND_SIGNATURE_LENGTH),
    });
    const signed = finishImagePackage(unsigned, SIGNATURE, TWICE.secondSignature);
    const image = parseImagePackage(signed);
    expect(image.fields.secondSignature).toEqual(TWICE.secondSignature);
    expect(signedBytesOf(image)).toEqual(unsigned);
    expect(signedBytesOf(parseImagePackage(pack(TWICE)))).toEqual(unsigned);
    expect(toHex(signed)).toContain('5332ed0c' + '03'.repeat(20));
    expect(toHex(pack(TWICE))).toContain('5333ed0c' + '04'.repeat(20));
    expect(codeOf(() => finishImagePackage(unsigned, SIGNATURE, SIGNATURE))).toBe('WrongSignatureLength');
    const without = encodeUnsignedImagePackage(PAYLOAD, SYSTEM);
    expect(codeOf(() => finishImagePackage(without, SIGNATURE, TWICE.secondSignature))).toBe(
      'WrongSignatureLength',
    );
  });

  it('holds any fields', () => {
    const guid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(guidFromRandom);
    const abi = fc.uniqueArray(fc.record({ version: fc.nat(), kind: fc.integer({ min: 1, max: 3 }) }), {
      minLength: 1,
      maxLength: 3,
      selector: (entry) => entry.kind,
    });
    const fields = fc.record(
      {
        imageType: fc.constantFrom(...Object.values(IMAGE_TYPES)),
        componentId: guid,
        imageId: guid,
        name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map(truncateImageName),
        buildTime: fc.maxSafeNat(),
        signerThumbprint: fc.uint8Array({ minLength: 20, maxLength: 20 }),
        temporaryFlags: fc.integer({ min: 0, max: 3 }),
        abiDepends: abi,
        abiProvides: abi,
        securityVersion: fc.record({ version: fc.nat(), chipSku: fc.constant(1) }),
      },
      {
        requiredKeys: [
          'imageType',
          'componentId',
          'imageId',
          'name',
          'buildTime',
          'signerThumbprint',
          'securityVersion',
        ],
      },
    );
    fc.assert(
      fc.property(fields, (value) => {
        fc.pre(value.name !== '' && !/\p{Cc}/u.test(value.name));
        expect(parseImagePackage(pack(value)).fields).toEqual(value);
      }),
      { seed: 10, numRuns: 300 },
    );
  });

  it('keeps 31 bytes of a name and no half character', () => {
    const long = 'Wetterstation für den Südbalkon im Hof';
    const { name } = parseImagePackage(pack({ ...BLINK, name: long })).fields;
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(31);
    expect(long.startsWith(name)).toBe(true);
    expect(truncateImageName('ä'.repeat(16))).toBe('ä'.repeat(15));
  });

  it('changes nothing but the thumbprint when another signer takes over', () => {
    const thumbprint = new Uint8Array(20).fill(0xee);
    const image = parseImagePackage(pack(SYSTEM));
    const signed = finishImagePackage(replaceSigner(image, thumbprint), SIGNATURE);
    expect(parseImagePackage(signed).fields).toEqual({ ...SYSTEM, signerThumbprint: thumbprint });
    expect(codeOf(() => replaceSigner(image, new Uint8Array(19)))).toBe('InvalidThumbprint');
  });

  it.each<[string, Partial<ImageFields>, string]>([
    ['an unknown image type', { imageType: 11 }, 'UnknownImageType'],
    ['a thumbprint of the wrong length', { signerThumbprint: new Uint8Array(32) }, 'InvalidThumbprint'],
    ['no name', { name: '' }, 'InvalidName'],
    ['a name with control characters', { name: 'a\u001b[31m' }, 'InvalidName'],
    ['a component id that is no GUID', { componentId: 'blink' }, 'BadGuid'],
    ['unknown temporary flags', { temporaryFlags: 4 }, 'InvalidMetadata'],
    ['an unknown ABI kind', { abiDepends: [{ version: 1, kind: 5 }] }, 'InvalidMetadata'],
    ['a second signature of another length', { secondSignature: new Uint8Array(64) }, 'WrongSignatureLength'],
    ['an unknown chip', { securityVersion: { version: 1, chipSku: 0 } }, 'UnknownChipSku'],
    ['a build time in the past of 1970', { buildTime: -1 }, 'ValueOutOfRange'],
    [
      'a version of more than 32 bits',
      { securityVersion: { version: 2 ** 32, chipSku: 1 } },
      'ValueOutOfRange',
    ],
  ])('refuses to write %s', (_what, change, code) => {
    expect(codeOf(() => pack({ ...BLINK, ...change }))).toBe(code);
  });

  it('refuses a system image without a security version', () => {
    const { securityVersion: _absent, ...without } = SYSTEM;
    for (const name of SYSTEM_IMAGE_TYPES) {
      expect(codeOf(() => pack({ ...without, imageType: IMAGE_TYPES[name] }))).toBe('SectionNotFound');
    }
  });

  it('refuses a signature of another length, an empty payload and a package larger than the flash', () => {
    expect(codeOf(() => finishImagePackage(PAYLOAD, new Uint8Array(72)))).toBe('WrongSignatureLength');
    expect(codeOf(() => encodeUnsignedImagePackage(new Uint8Array(0), BLINK))).toBe('ImageTooShort');
    expect(codeOf(() => encodeUnsignedImagePackage(new Uint8Array(MAX_IMAGE_PACKAGE_LENGTH), BLINK))).toBe(
      'ImageTooLarge',
    );
  });
});

describe('image package from an attacker', () => {
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'ImageTooShort'],
    ['a signature alone', new Uint8Array(64), 'ImageTooShort'],
    ['more than the flash holds', new Uint8Array(MAX_IMAGE_PACKAGE_LENGTH + 1), 'ImageTooLarge'],
    ['zeros', new Uint8Array(8192), 'InvalidMetadata'],
    [
      'a metadata length beyond the package',
      withMetadata((m, view) => view.setUint32(m.length - 4, 0xffffffff, true)),
      'InvalidMetadata',
    ],
    [
      'a metadata length that swallows the payload',
      withMetadata((m, view) => view.setUint32(m.length - 4, m.length + PAYLOAD.length, true)),
      'InvalidMetadata',
    ],
    [
      'a metadata length that is too small',
      withMetadata((m, view) => view.setUint32(m.length - 4, 8, true)),
      'InvalidMetadata',
    ],
    ['another magic', withMetadata((_m, view) => view.setUint32(0, 0, true)), 'InvalidMetadata'],
    [
      'fewer sections counted than there are',
      withMetadata((_m, view) => view.setUint32(4, 4, true)),
      'InvalidMetadata',
    ],
    [
      'more sections counted than there are',
      withMetadata((_m, view) => view.setUint32(4, 6, true)),
      'SectionOverflowsMetadata',
    ],
    [
      'four thousand million sections',
      withMetadata((_m, view) => view.setUint32(4, 0xffffffff, true)),
      'SectionOverflowsMetadata',
    ],
    [
      'a section that reaches out of the metadata',
      withMetadata((_m, view) => view.setUint16(10, 0xffff, true)),
      'SectionOverflowsMetadata',
    ],
    ['an empty section', withMetadata((_m, view) => view.setUint16(10, 0, true)), 'EmptySection'],
    [
      'a section that is too large',
      concatBytes(PAYLOAD, metadataOf(ID.replace('2400', '2800') + '00000000', SG, DB), SIGNATURE),
      'SectionTooLarge',
    ],
    [
      'a section that is too small',
      concatBytes(PAYLOAD, metadataOf(ID, SG, DB, '545002000000'), SIGNATURE),
      'SectionTooSmall',
    ],
    [
      'an unknown section',
      concatBytes(PAYLOAD, metadataOf(ID, SG, DB, '5858040000000000'), SIGNATURE),
      'UnknownSection',
    ],
    [
      'a legacy section',
      concatBytes(PAYLOAD, metadataOf(ID, SG, DB, '4c47040000000000'), SIGNATURE),
      'UnknownSection',
    ],
    ['two identities', concatBytes(PAYLOAD, metadataOf(ID, ID, SG, DB), SIGNATURE), 'DuplicateSection'],
    ['two signers', concatBytes(PAYLOAD, metadataOf(ID, SG, SG, DB), SIGNATURE), 'DuplicateSection'],
    [
      'sections in another order',
      concatBytes(PAYLOAD, metadataOf(SG, ID, DB), SIGNATURE),
      'SectionsOutOfOrder',
    ],
    ['no signer', concatBytes(PAYLOAD, metadataOf(ID, DB, ND), SIGNATURE), 'SectionNotFound'],
    ['no identity', concatBytes(PAYLOAD, metadataOf(SG, DB, ND, NP), SIGNATURE), 'SectionNotFound'],
    ['an invalid image type', withMetadata((_m, view) => view.setUint16(12, 0, true)), 'UnknownImageType'],
    [
      'something in the reserved word',
      withMetadata((_m, view) => view.setUint16(14, 1, true)),
      'InvalidMetadata',
    ],
    [
      'another signature algorithm',
      withMetadata((_m, view) => view.setUint32(8 + 40 + 24, 2, true)),
      'UnknownSignatureType',
    ],
    ['a name without an end', withMetadata((m) => void m.fill(0x41, 88, 120)), 'InvalidName'],
    ['a text after the name ended', withMetadata((m) => void m.fill(0x41, 119, 120)), 'InvalidName'],
    ['a name that is no UTF-8', withMetadata((m) => void m.fill(0xff, 88, 89)), 'InvalidName'],
    ['a build time beyond reason', withMetadata((m) => void m.fill(0xff, 80, 88)), 'InvalidMetadata'],
    [
      'more dependencies promised than there are',
      withMetadata((_m, view) => view.setUint32(8 + 40 + 28 + 44 + 8 + 4, 2, true)),
      'InvalidMetadata',
    ],
    [
      'a system type without a security version',
      withMetadata((_m, view) => view.setUint16(12, IMAGE_TYPES.SecurityMonitor, true)),
      'SectionNotFound',
    ],
  ])('refuses %s', (_what, bytes, code) => {
    expect(codeOf(() => parseImagePackage(bytes))).toBe(code);
  });

  const short = (fields: ImageFields): Uint8Array =>
    finishImagePackage(encodeUnsignedImagePackage(PAYLOAD.subarray(0, 8), fields), SIGNATURE);
  strictnessSuite({
    name: 'image package',
    samples: [short(BLINK), short(SYSTEM), short(TWICE)],
    decode: parseImagePackage,
    encode: repack,
    mutations: 6000,
  });
});
