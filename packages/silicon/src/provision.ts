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
 * Writes the first contents of a new chip's flash: each image into both of its slots, and last the first boot
 * record. Cut short, it is simply begun again. Verifies nothing but that the images are well-formed and fit: the
 * chip itself decides what it runs.
 */
export function provisionFlash(flash: Flash, images: readonly ProvisionImage[]): void {
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
  writeFirstRecord(flash);
}

/** Slot A of everything and no apps, into erased flash. */
export function writeFirstRecord(flash: Flash): void {
  flash.program(FLASH_MAP.bootRecord.offset, encodeBootRecord({ ...DEFAULT_BOOT_RECORD, sequence: 1 }));
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
  const region = FLASH_MAP.system[type][slot];
  requireRoom(type, bytes);
  const { imageId, componentId } = parseImagePackage(bytes).fields;
  eraseUsed(flash, region);
  flash.program(region.offset + SLOT_PACKAGE_OFFSET, bytes);
  const header = {
    imageType: IMAGE_TYPES[type],
    componentId,
    imageId,
    size: bytes.length,
    digest: sha256(bytes),
  };
  flash.program(region.offset, encodeSlotHeader(header));
  flash.program(region.offset + SLOT_COMPLETE_MARK, Uint8Array.of(0));
}

/** Erases the sectors of a region that are not blank. */
export function eraseUsed(flash: Flash, { offset, length }: FlashRegion): void {
  for (let at = offset; at < offset + length; at += FLASH_SECTOR) {
    if (flash.read(at, FLASH_SECTOR).some((byte) => byte !== 0xff)) flash.erase(at, FLASH_SECTOR);
  }
}
