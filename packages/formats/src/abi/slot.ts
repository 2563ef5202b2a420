import { concatBytes, crc32, viewOf } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { guidFromBytes, guidToBytes } from '../guid.ts';
import { FLASH_SECTOR, type FlashRegion } from './flash-map.ts';

/**
 * A slot of the system is a header sector and, from its second sector on, one image package; of an app, a header sector
 * that says which sectors hold the package (`application-area.ts`). The header says what is (being)
 * written there; it is a hint only: an image is run for its signature, never for its header.
 */
export interface SlotHeader {
  readonly imageType: number;
  readonly componentId: string;
  readonly imageId: string;
  /** Length of the image package in bytes. */
  readonly size: number;
  /** SHA-256 of the image package. */
  readonly digest: Uint8Array;
}

const MAGIC = 0x4c534653; // "SFSL", little-endian
const HEADER_LENGTH = 80;
/** Bytes of a slot before its image package. */
export const SLOT_PACKAGE_OFFSET = FLASH_SECTOR;
/** Within the header sector: one byte that is programmed to 0 when the package is whole and was verified. */
export const SLOT_COMPLETE_MARK = 256;
/** Within the header sector: one byte for each sector of the package, programmed to 0 when that sector is whole. */
export const SLOT_PROGRESS_MARKS = 512;

/** Longest image package that a slot can hold, in bytes. */
export function slotCapacity(slot: FlashRegion): number {
  return Math.min(slot.length - SLOT_PACKAGE_OFFSET, (FLASH_SECTOR - SLOT_PROGRESS_MARKS) * FLASH_SECTOR);
}

/** The 80 bytes to program at the start of an erased slot. */
export function encodeSlotHeader(header: SlotHeader): Uint8Array {
  const numbers = new Uint8Array(8);
  viewOf(numbers).setUint32(0, header.imageType, true);
  viewOf(numbers).setUint32(4, header.size, true);
  const body = concatBytes(
    numbers,
    header.digest,
    guidToBytes(header.componentId),
    guidToBytes(header.imageId),
  );
  const frame = new Uint8Array(8);
  viewOf(frame).setUint32(0, MAGIC, true);
  viewOf(frame).setUint32(4, crc32(body), true);
  return concatBytes(frame, body);
}

/**
 * The header of a slot from the first bytes of its first sector. `capacity`: longest package there, in bytes. Throws
 * `InvalidSlotHeader`.
 */
export function decodeSlotHeader(untrusted: Uint8Array, capacity: number): SlotHeader {
  const view = viewOf(untrusted);
  const isWhole =
    untrusted.length >= HEADER_LENGTH &&
    view.getUint32(0, true) === MAGIC &&
    view.getUint32(4, true) === crc32(untrusted.subarray(8, HEADER_LENGTH));
  const size = isWhole ? view.getUint32(12, true) : 0;
  if (size < 1 || size > capacity) {
    throw new FormatError('InvalidSlotHeader', 'The slot holds no image, or its header is damaged.');
  }
  return {
    imageType: view.getUint32(8, true),
    size,
    digest: untrusted.slice(16, 48),
    componentId: guidFromBytes(untrusted.subarray(48, 64)),
    imageId: guidFromBytes(untrusted.subarray(64, HEADER_LENGTH)),
  };
}
