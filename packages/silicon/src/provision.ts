import {
  DEFAULT_BOOT_RECORD,
  FLASH_MAP,
  FLASH_SECTOR,
  IMAGE_TYPES,
  SLOT_COMPLETE_MARK,
  SYSTEM_IMAGE_TYPES,
  applicationPlace,
  encodeBootRecord,
  encodeSectorList,
  encodeSlotHeader,
  parseImagePackage,
  slotCapacity,
  systemPlace,
  type BootApplication,
  type FlashRegion,
  type ImagePlace,
  type SlotName,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { sha256 } from './engines.ts';
import { SiliconError } from './errors.ts';
import type { Flash } from './flash.ts';

/** One system image as it goes into a new chip. */
export interface ProvisionImage {
  readonly type: SystemImageTypeName;
  readonly package: Uint8Array;
}

/**
 * Writes the first contents of a new chip's flash: each image into both of its slots, the apps (image packages) into
 * theirs, and last the first boot record. Cut short, it is simply begun again. Verifies nothing but that the images are well-formed and fit: the
 * chip itself decides what it runs.
 */
export function provisionFlash(
  flash: Flash,
  images: readonly ProvisionImage[],
  applications: readonly Uint8Array[] = [],
): void {
  const missing = SYSTEM_IMAGE_TYPES.filter((type) => !images.some((image) => image.type === type));
  if (missing.length > 0) {
    throw new SiliconError('BadArgument', `The images ${missing.join(', ')} are missing.`, {
      field: 'images',
    });
  }
  eraseUsed(flash, FLASH_MAP.bootRecord);
  for (const { type, package: bytes } of images) {
    for (const slot of ['A', 'B'] as const) writeSlot(flash, type, slot, bytes);
  }
  writeFirstRecord(flash, writeApplications(flash, applications));
}

/** The apps that a new chip comes with, one after the other. */
function writeApplications(flash: Flash, applications: readonly Uint8Array[]): readonly BootApplication[] {
  const { most, bytes: room } = FLASH_MAP.applications;
  const total = applications.reduce((sum, { length }) => sum + length, 0);
  if (applications.length > most || total > room) {
    throw new SiliconError('OutOfRange', `There are ${applications.length} apps, of ${total} bytes.`, {
      field: 'applications',
      rule: `at most ${most}, of ${room} bytes in all`,
    });
  }
  let sector = 0;
  return applications.map((bytes, slot): BootApplication => {
    const count = Math.ceil(bytes.length / FLASH_SECTOR);
    const place = applicationPlace(
      slot,
      Array.from({ length: count }, (_, index) => sector + index),
    );
    sector += count;
    for (const offset of [place.header, ...place.sectors]) eraseUsed(flash, { offset, length: FLASH_SECTOR });
    const { componentId, imageId } = writeImage(flash, place, bytes);
    const list = encodeSectorList(place);
    flash.program(list.offset, list.bytes);
    return { componentId, imageId, slot, size: bytes.length };
  });
}

/** Slot A of everything and the apps that are installed, into erased flash. */
export function writeFirstRecord(flash: Flash, applications: readonly BootApplication[] = []): void {
  const current = { ...DEFAULT_BOOT_RECORD.current, applications };
  flash.program(
    FLASH_MAP.bootRecord.offset,
    encodeBootRecord({ ...DEFAULT_BOOT_RECORD, current, sequence: 1 }),
  );
}

/** Throws `OutOfRange` for an image that is too long for its slots. */
export function requireRoom(type: SystemImageTypeName, { length }: Uint8Array): void {
  const room = slotCapacity(FLASH_MAP.system[type].A);
  if (length <= room) return;
  throw new SiliconError('OutOfRange', `${type} has ${length} bytes.`, {
    field: type,
    rule: `at most ${room} bytes`,
  });
}

/** Writes one image into one slot, as a factory or an attacker with a soldering iron would. */
export function writeSlot(flash: Flash, type: SystemImageTypeName, slot: SlotName, bytes: Uint8Array): void {
  requireRoom(type, bytes);
  const region = FLASH_MAP.system[type][slot];
  eraseUsed(flash, region);
  writeImage(flash, systemPlace(region, bytes.length), bytes, IMAGE_TYPES[type]);
}

/** Writes an image package and its header into erased sectors; `imageType` where the header is to say another type than the package. */
function writeImage(
  flash: Flash,
  place: ImagePlace,
  bytes: Uint8Array,
  imageType?: number,
): { readonly componentId: string; readonly imageId: string } {
  const { fields } = parseImagePackage(bytes);
  const { imageId, componentId } = fields;
  place.sectors.forEach((offset, index) => {
    flash.program(offset, bytes.subarray(index * FLASH_SECTOR, (index + 1) * FLASH_SECTOR));
  });
  const header = {
    imageType: imageType ?? fields.imageType,
    componentId,
    imageId,
    size: bytes.length,
    digest: sha256(bytes),
  };
  flash.program(place.header, encodeSlotHeader(header));
  flash.program(place.header + SLOT_COMPLETE_MARK, Uint8Array.of(0));
  return { componentId, imageId };
}

/** Erases the sectors of a region that are not blank. */
export function eraseUsed(flash: Flash, { offset, length }: FlashRegion): void {
  for (let at = offset; at < offset + length; at += FLASH_SECTOR) {
    if (!isBlank(flash.read(at, FLASH_SECTOR))) flash.erase(at, FLASH_SECTOR);
  }
}

/** Word by word: all of flash is looked at before a chip leaves the factory. */
function isBlank(sector: Uint8Array): boolean {
  const words = new Int32Array(sector.buffer, sector.byteOffset, sector.length / 4);
  for (let index = 0; index < words.length; index++) if (words[index] !== -1) return false;
  return true;
}
