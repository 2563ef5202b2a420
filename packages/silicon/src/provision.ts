import {
  DEFAULT_BOOT_RECORD,
  FLASH_MAP,
  FLASH_SECTOR,
  IMAGE_TYPES,
  SLOT_COMPLETE_MARK,
  SLOT_PACKAGE_OFFSET,
  SYSTEM_IMAGE_TYPES,
  encodeBootRecord,
  encodeSlotHeader,
  parseImagePackage,
  slotCapacity,
  type BootApplication,
  type FlashRegion,
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
  const installed = applications.map((bytes, slot): BootApplication => {
    const region = FLASH_MAP.applications[slot];
    if (region === undefined) {
      throw new SiliconError('OutOfRange', `There are ${applications.length} apps.`, {
        field: 'applications',
        rule: `at most ${FLASH_MAP.applications.length}`,
      });
    }
    const { componentId, imageId } = writeImage(flash, region, bytes);
    return { componentId, imageId, slot, size: bytes.length };
  });
  writeFirstRecord(flash, installed);
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
  writeImage(flash, FLASH_MAP.system[type][slot], bytes, IMAGE_TYPES[type]);
}

/** Writes an image package and its header; `imageType` where the header is to say another type than the package. */
function writeImage(
  flash: Flash,
  region: FlashRegion,
  bytes: Uint8Array,
  imageType?: number,
): { readonly componentId: string; readonly imageId: string } {
  const { fields } = parseImagePackage(bytes);
  if (bytes.length > slotCapacity(region)) {
    throw new SiliconError('OutOfRange', `${fields.name} has ${bytes.length} bytes.`, {
      field: fields.name,
      rule: `at most ${slotCapacity(region)} bytes`,
    });
  }
  const { imageId, componentId } = fields;
  eraseUsed(flash, region);
  flash.program(region.offset + SLOT_PACKAGE_OFFSET, bytes);
  const header = {
    imageType: imageType ?? fields.imageType,
    componentId,
    imageId,
    size: bytes.length,
    digest: sha256(bytes),
  };
  flash.program(region.offset, encodeSlotHeader(header));
  flash.program(region.offset + SLOT_COMPLETE_MARK, Uint8Array.of(0));
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
