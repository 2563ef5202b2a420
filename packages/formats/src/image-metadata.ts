import { concatBytes, plainBytes, viewOf } from './bytes.ts';
import { CHIP_SKUS, IMAGE_TYPES, SYSTEM_IMAGE_TYPES } from './abi/image-types.ts';
import { FormatError } from './errors.ts';
import { guidFromBytes, guidToBytes } from './guid.ts';
import { utf8Decode, utf8Encode } from './utf8.ts';

/** What an image needs or offers: a version of one of the kinds of `ABI_KINDS`. */
export type AbiVersion = {
  readonly version: number;
  readonly kind: number;
};
/** Kinds 1 to 3 are the original's; 4, what Pluton's mailbox offers the Security Monitor, is ours. */
export const ABI_KINDS = {
  SecureWorldRuntime: 1,
  OSRuntime: 2,
  ApplicationRuntime: 3,
  PlutonRuntime: 4,
} as const;

/** Flags of the TemporaryImage section. */
export const TEMPORARY_FLAGS = { none: 0, removeAtBoot: 1, underDevelopment: 2 } as const;

/** Security version of a system image: a device whose fuses are past it refuses the image. */
export interface SecurityVersion {
  readonly version: number;
  /** Value of `CHIP_SKUS`: an image for another chip is refused. */
  readonly chipSku: number;
}

/** Everything an image package says about itself (azure-sphere.md §2.4, docs/image-package.md). */
export interface ImageFields {
  /** Value of `IMAGE_TYPES`. */
  readonly imageType: number;
  /** The component over all its versions. */
  readonly componentId: string;
  /** This build. */
  readonly imageId: string;
  /** For people; at most 31 bytes of UTF-8 survive in the metadata. */
  readonly name: string;
  /** Seconds since 1970-01-01T00:00:00Z. */
  readonly buildTime: number;
  /** SHA-1 of the signer's SubjectPublicKeyInfo in DER: 20 bytes. */
  readonly signerThumbprint: Uint8Array;
  /** Bits of `TEMPORARY_FLAGS`; absent: no such section. */
  readonly temporaryFlags?: number;
  readonly abiDepends?: readonly AbiVersion[];
  readonly abiProvides?: readonly AbiVersion[];
  /** Required for system image types. */
  readonly securityVersion?: SecurityVersion;
  /** ML-DSA-65 (FIPS 204) by the second key of the signer; zeros until it is signed; absent: no such section. */
  readonly secondSignature?: Uint8Array;
  /** Reserved for the maker's offline signature, in the same form; no device looks at it yet. */
  readonly makerSignature?: Uint8Array;
}

const MAGIC = 0x4d345834; // "4X4M"
const HEADER_LENGTH = 8;
const SECTION_HEADER_LENGTH = 4;
const TRAILER_LENGTH = 4;
const NAME_LENGTH = 32;
const ECDSA_256 = 1;
const MAX_ABI_ENTRIES = 16;
const MOST_ABI_KIND = Math.max(...Object.values(ABI_KINDS));
/** Length of an ML-DSA-65 signature in bytes (FIPS 204 table 2). */
export const SECOND_SIGNATURE_LENGTH = 3309;

/**
 * The sections, in the order in which they stand in a package. `SV` is ours: u32 security version, u32 chip SKU; so
 * are `S2` and `S3`, which hold signatures: what all signatures cover is the package with the data of these zeroed.
 * Lengths are those of the data, in bytes.
 */
const SECTIONS = [
  { name: 'ID', id: 0x4449, min: 36, max: 36 },
  { name: 'SG', id: 0x4753, min: 24, max: 24 },
  { name: 'DB', id: 0x4244, min: 40, max: 40 },
  { name: 'TP', id: 0x5054, min: 4, max: 4 },
  { name: 'ND', id: 0x444e, min: 12, max: 4 + 8 * MAX_ABI_ENTRIES },
  { name: 'NP', id: 0x504e, min: 12, max: 4 + 8 * MAX_ABI_ENTRIES },
  { name: 'SV', id: 0x5653, min: 8, max: 8 },
  { name: 'S2', id: 0x3253, min: SECOND_SIGNATURE_LENGTH, max: SECOND_SIGNATURE_LENGTH },
  { name: 'S3', id: 0x3353, min: SECOND_SIGNATURE_LENGTH, max: SECOND_SIGNATURE_LENGTH },
] as const;
type SectionName = (typeof SECTIONS)[number]['name'];

/** Least length of a metadata block: header, the required sections ID, SG and DB, trailer. */
export const MIN_METADATA_LENGTH = 124;
/** Where the signer's thumbprint starts in a metadata block: the second section is always SG. */
export const THUMBPRINT_OFFSET = HEADER_LENGTH + 40 + SECTION_HEADER_LENGTH;

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(IMAGE_TYPES));
const KNOWN_SKUS: ReadonlySet<number> = new Set(Object.values(CHIP_SKUS));
const SYSTEM_TYPES: ReadonlySet<number> = new Set(SYSTEM_IMAGE_TYPES.map((name) => IMAGE_TYPES[name]));

/** The name as it survives in the metadata: at most 31 bytes of UTF-8, cut between characters. */
export function truncateImageName(name: string): string {
  let kept = '';
  let length = 0;
  for (const character of name) {
    length += utf8Encode(character).length;
    if (length >= NAME_LENGTH) break;
    kept += character;
  }
  return kept;
}

function section(name: SectionName, data: Uint8Array): Uint8Array {
  const row = SECTIONS.find((each) => each.name === name);
  const bytes = new Uint8Array(SECTION_HEADER_LENGTH + data.length);
  viewOf(bytes).setUint16(0, row?.id ?? 0, true);
  viewOf(bytes).setUint16(2, data.length, true);
  bytes.set(data, SECTION_HEADER_LENGTH);
  return bytes;
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  for (const [index, value] of values.entries()) viewOf(bytes).setUint32(index * 4, checkUint32(value), true);
  return bytes;
}

function checkUint32(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new FormatError('ValueOutOfRange', `${value} does not fit into 32 bits.`, { rule: '0 to 2^32-1' });
  }
  return value;
}

function abiWords(entries: readonly AbiVersion[]): Uint8Array {
  return words(entries.length, ...entries.flatMap(({ version, kind }) => [version, kind]));
}

/** Refuses fields that no package may carry; the same rules hold when writing and when reading. */
function checkFields(fields: ImageFields): void {
  if (!KNOWN_TYPES.has(fields.imageType)) {
    throw new FormatError('UnknownImageType', `There is no image type ${fields.imageType}.`, {
      field: 'imageType',
      rule: 'azure-sphere.md §2.3',
    });
  }
  if (fields.signerThumbprint.length !== 20) {
    throw new FormatError('InvalidThumbprint', 'The signer thumbprint must have 20 bytes.', {
      field: 'signerThumbprint',
      rule: '20 bytes',
    });
  }
  // Control characters would let a name play tricks on a terminal or a log.
  if (fields.name === '' || /\p{Cc}/u.test(fields.name)) {
    throw new FormatError(
      'InvalidName',
      'The image name must be a non-empty text without control characters.',
      {
        field: 'name',
        rule: '1 to 31 bytes of UTF-8, no control characters',
      },
    );
  }
  if (fields.securityVersion === undefined && SYSTEM_TYPES.has(fields.imageType)) {
    throw new FormatError('SectionNotFound', 'A system image needs a security version section (SV).', {
      field: 'securityVersion',
      rule: 'required for system image types',
    });
  }
  if (fields.securityVersion !== undefined && !KNOWN_SKUS.has(fields.securityVersion.chipSku)) {
    throw new FormatError('UnknownChipSku', `There is no chip SKU ${fields.securityVersion.chipSku}.`, {
      field: 'securityVersion.chipSku',
    });
  }
  if (((fields.temporaryFlags ?? 0) & ~3) !== 0) {
    throw new FormatError('InvalidMetadata', 'The TemporaryImage flags have unknown bits.', {
      field: 'temporaryFlags',
      rule: '0 to 3',
    });
  }
  for (const field of ['secondSignature', 'makerSignature'] as const) {
    const { length = SECOND_SIGNATURE_LENGTH } = fields[field] ?? {};
    if (length !== SECOND_SIGNATURE_LENGTH) {
      throw new FormatError('WrongSignatureLength', `The ${field} has ${length} bytes.`, {
        field,
        rule: `${SECOND_SIGNATURE_LENGTH} bytes`,
      });
    }
  }
  for (const [field, entries] of [
    ['abiDepends', fields.abiDepends],
    ['abiProvides', fields.abiProvides],
  ] as const) {
    if (entries !== undefined) checkAbi(field, entries);
  }
}

function checkAbi(field: string, entries: readonly AbiVersion[]): void {
  if (entries.length === 0 || entries.length > MAX_ABI_ENTRIES) {
    throw new FormatError('InvalidMetadata', `${field} must have 1 to ${MAX_ABI_ENTRIES} entries.`, {
      field,
    });
  }
  const kinds = entries.map((entry) => entry.kind);
  if (new Set(kinds).size !== kinds.length || kinds.some((kind) => kind < 1 || kind > MOST_ABI_KIND)) {
    throw new FormatError('InvalidMetadata', `${field} must name each kind once, of 1 to ${MOST_ABI_KIND}.`, {
      field,
    });
  }
}

/** The metadata block of a package, from the magic to its own length word. */
export function encodeMetadata(fields: ImageFields): Uint8Array<ArrayBuffer> {
  checkFields(fields);
  const identity = new Uint8Array(36);
  viewOf(identity).setUint16(0, fields.imageType, true);
  identity.set(guidToBytes(fields.componentId), 4);
  identity.set(guidToBytes(fields.imageId), 20);
  const debug = new Uint8Array(40);
  if (!Number.isSafeInteger(fields.buildTime) || fields.buildTime < 0) {
    throw new FormatError('ValueOutOfRange', 'The build time must be whole seconds since 1970.', {
      field: 'buildTime',
    });
  }
  viewOf(debug).setBigUint64(0, BigInt(fields.buildTime), true);
  debug.set(utf8Encode(truncateImageName(fields.name)), 8);
  const sections = [
    section('ID', identity),
    section('SG', concatBytes(fields.signerThumbprint, words(ECDSA_256))),
    section('DB', debug),
  ];
  if (fields.temporaryFlags !== undefined) sections.push(section('TP', words(fields.temporaryFlags)));
  if (fields.abiDepends !== undefined) sections.push(section('ND', abiWords(fields.abiDepends)));
  if (fields.abiProvides !== undefined) sections.push(section('NP', abiWords(fields.abiProvides)));
  if (fields.securityVersion !== undefined) {
    sections.push(section('SV', words(fields.securityVersion.version, fields.securityVersion.chipSku)));
  }
  if (fields.secondSignature !== undefined) sections.push(section('S2', fields.secondSignature));
  if (fields.makerSignature !== undefined) sections.push(section('S3', fields.makerSignature));
  const body = concatBytes(words(MAGIC, sections.length), ...sections);
  return concatBytes(body, words(body.length + TRAILER_LENGTH));
}

/** Splits a metadata block into its sections: known ones only, each once, in order, with nothing left over. */
function splitSections(block: Uint8Array): ReadonlyMap<SectionName, Uint8Array> {
  const view = viewOf(block);
  const end = block.length - TRAILER_LENGTH;
  if (view.getUint32(0, true) !== MAGIC) {
    throw new FormatError('InvalidMetadata', 'The metadata does not start with its magic number.', {
      field: 'magic',
      rule: '0x4D345834',
    });
  }
  const count = view.getUint32(4, true);
  const sections = new Map<SectionName, Uint8Array>();
  let at = HEADER_LENGTH;
  let lastOrder = -1;
  for (let index = 0; index < count; index++) {
    const field = `sections.${index}`;
    if (at + SECTION_HEADER_LENGTH > end) {
      throw new FormatError('SectionOverflowsMetadata', 'A section starts past the end of the metadata.', {
        field,
      });
    }
    const id = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    at += SECTION_HEADER_LENGTH;
    if (length === 0) throw new FormatError('EmptySection', 'A metadata section has no data.', { field });
    if (at + length > end) {
      throw new FormatError('SectionOverflowsMetadata', 'A section reaches past the end of the metadata.', {
        field,
      });
    }
    const order = SECTIONS.findIndex((each) => each.id === id);
    const row = SECTIONS[order];
    if (row === undefined) {
      throw new FormatError('UnknownSection', `Unknown metadata section 0x${id.toString(16)}.`, { field });
    }
    if (sections.has(row.name)) {
      throw new FormatError('DuplicateSection', `The metadata section ${row.name} appears twice.`, {
        field: row.name,
      });
    }
    const rule = row.min === row.max ? `${row.max} bytes` : `${row.min} to ${row.max} bytes`;
    if (length > row.max) {
      throw new FormatError('SectionTooLarge', `The section ${row.name} has ${length} bytes.`, {
        field: row.name,
        rule,
      });
    }
    if (length < row.min) {
      throw new FormatError('SectionTooSmall', `The section ${row.name} has ${length} bytes.`, {
        field: row.name,
        rule,
      });
    }
    if (order < lastOrder) {
      throw new FormatError('SectionsOutOfOrder', `The section ${row.name} stands too late.`, {
        field: row.name,
        rule: SECTIONS.map((each) => each.name).join(', '),
      });
    }
    lastOrder = order;
    sections.set(row.name, block.subarray(at, at + length));
    at += length;
  }
  if (at !== end) {
    throw new FormatError('InvalidMetadata', 'Bytes follow after the last metadata section.', {
      field: 'sectionCount',
    });
  }
  return sections;
}

function required(sections: ReadonlyMap<SectionName, Uint8Array>, name: SectionName): Uint8Array {
  const data = sections.get(name);
  if (data === undefined) {
    throw new FormatError('SectionNotFound', `The metadata has no section ${name}.`, {
      field: name,
      rule: 'required',
    });
  }
  return data;
}

function parseAbi(data: Uint8Array, field: string): readonly AbiVersion[] {
  const view = viewOf(data);
  const count = view.getUint32(0, true);
  if (data.length !== 4 + 8 * count) {
    throw new FormatError('InvalidMetadata', `${field} promises ${count} entries.`, {
      field,
      rule: 'length 4 + 8 n',
    });
  }
  return Array.from({ length: count }, (_, index) => ({
    version: view.getUint32(4 + 8 * index, true),
    kind: view.getUint32(8 + 8 * index, true),
  }));
}

function parseName(data: Uint8Array): string {
  const end = data.indexOf(0);
  if (end < 0 || data.subarray(end).some((byte) => byte !== 0)) {
    throw new FormatError('InvalidName', 'The image name is not padded with zeros.', { field: 'name' });
  }
  try {
    return utf8Decode(data.subarray(0, end));
  } catch (cause) {
    throw new FormatError('InvalidName', 'The image name is not UTF-8.', { field: 'name', cause });
  }
}

function parseBuildTime(debug: Uint8Array): number {
  const time = viewOf(debug).getBigUint64(0, true);
  if (time > Number.MAX_SAFE_INTEGER) {
    throw new FormatError('InvalidMetadata', 'The build time is out of range.', { field: 'buildTime' });
  }
  return Number(time);
}

/** Reads a whole metadata block, trailer included. Strict: what it accepts encodes again to the same bytes. */
export function parseMetadata(untrusted: Uint8Array): ImageFields {
  const sections = splitSections(plainBytes(untrusted));
  const identity = required(sections, 'ID');
  const signature = required(sections, 'SG');
  const debug = required(sections, 'DB');
  if (viewOf(identity).getUint16(2, true) !== 0) {
    throw new FormatError('InvalidMetadata', 'The reserved word of the identity is not zero.', {
      field: 'ID',
    });
  }
  if (viewOf(signature).getUint32(20, true) !== ECDSA_256) {
    throw new FormatError('UnknownSignatureType', 'The only signature type is ECDSA P-256 with SHA-256.', {
      field: 'SG',
      rule: '1',
    });
  }
  const temporary = sections.get('TP');
  const depends = sections.get('ND');
  const provides = sections.get('NP');
  const security = sections.get('SV');
  const second = sections.get('S2');
  const maker = sections.get('S3');
  const fields: ImageFields = {
    imageType: viewOf(identity).getUint16(0, true),
    componentId: guidFromBytes(identity.subarray(4, 20)),
    imageId: guidFromBytes(identity.subarray(20, 36)),
    name: parseName(debug.subarray(8)),
    buildTime: parseBuildTime(debug),
    signerThumbprint: signature.slice(0, 20),
    ...(temporary && { temporaryFlags: viewOf(temporary).getUint32(0, true) }),
    ...(depends && { abiDepends: parseAbi(depends, 'abiDepends') }),
    ...(provides && { abiProvides: parseAbi(provides, 'abiProvides') }),
    ...(security && {
      securityVersion: {
        version: viewOf(security).getUint32(0, true),
        chipSku: viewOf(security).getUint32(4, true),
      },
    }),
    ...(second && { secondSignature: second.slice() }),
    ...(maker && { makerSignature: maker.slice() }),
  };
  checkFields(fields);
  return fields;
}

/** A copy of a well-formed metadata block in which the signatures that stand in sections are zeros. */
export function withoutSignatures(metadata: Uint8Array): Uint8Array {
  const covered = Uint8Array.from(metadata);
  const sections = splitSections(covered);
  sections.get('S2')?.fill(0);
  sections.get('S3')?.fill(0);
  return covered;
}
