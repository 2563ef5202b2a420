import { concatBytes, crc32, viewOf } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { FLASH_MAP, FLASH_SECTOR, type FlashRegion } from './flash-map.ts';
import { SLOT_PACKAGE_OFFSET, decodeSlotHeader, type SlotHeader } from './slot.ts';

/** Where an image lies, as offsets in flash: its header sector and, in order, the sectors of its package. */
export interface ImagePlace {
  readonly header: number;
  readonly sectors: readonly number[];
}

const AREA = FLASH_MAP.applications;
/** App slots: what runs, what a fallback would need, and what is staged, each as many as there may be apps. */
export const APPLICATION_SLOTS = 3 * AREA.most;
/** Sectors for the packages of apps: those that follow the header sectors. */
export const APPLICATION_SECTORS = AREA.length / FLASH_SECTOR - APPLICATION_SLOTS;
const FIRST_SECTOR = AREA.offset + APPLICATION_SLOTS * FLASH_SECTOR;
/** Within the header sector of an app: CRC-32, then the number of each sector of its package, 16 bits each. */
const SECTOR_LIST = 1024;
/** Bytes of the header sector that say what lies where. */
export const APPLICATION_HEADER_LENGTH = SECTOR_LIST + 4 + 2 * (AREA.bytes / FLASH_SECTOR);

/** Where the package of an image of the system lies: from the second sector of its slot on. */
export function systemPlace({ offset }: FlashRegion, size: number): ImagePlace {
  const sectors = Array.from(
    { length: Math.ceil(size / FLASH_SECTOR) },
    (_, index) => offset + SLOT_PACKAGE_OFFSET + index * FLASH_SECTOR,
  );
  return { header: offset, sectors };
}

/** Where in flash sector number `sector` of the packages of apps begins. */
export function sectorOffset(sector: number): number {
  return FIRST_SECTOR + sector * FLASH_SECTOR;
}

/** The place of an app in slot `slot` whose package has these sectors, by number from 0. */
export function applicationPlace(slot: number, sectors: readonly number[]): ImagePlace {
  return {
    header: AREA.offset + slot * FLASH_SECTOR,
    sectors: sectors.map(sectorOffset),
  };
}

/** The list of an app's sectors, and where in flash it is programmed. */
export function encodeSectorList({ header, sectors }: ImagePlace): {
  readonly offset: number;
  readonly bytes: Uint8Array;
} {
  const list = new Uint8Array(2 * sectors.length);
  const view = viewOf(list);
  sectors.forEach((offset, index) => {
    view.setUint16(2 * index, (offset - FIRST_SECTOR) / FLASH_SECTOR, true);
  });
  const check = new Uint8Array(4);
  viewOf(check).setUint32(0, crc32(list), true);
  return { offset: header + SECTOR_LIST, bytes: concatBytes(check, list) };
}

/**
 * Header and place of the app in slot `slot`, from the first `APPLICATION_HEADER_LENGTH` bytes of its header sector.
 * Throws `InvalidSlotHeader`; a place that it gives lies within the area, each sector once.
 */
export function decodeApplicationSlot(
  untrusted: Uint8Array,
  slot: number,
): { readonly header: SlotHeader; readonly place: ImagePlace } {
  const header = decodeSlotHeader(untrusted, AREA.bytes);
  const view = viewOf(untrusted);
  const list = untrusted.subarray(
    SECTOR_LIST + 4,
    SECTOR_LIST + 4 + 2 * Math.ceil(header.size / FLASH_SECTOR),
  );
  const sectors = Array.from({ length: list.length / 2 }, (_, index) =>
    view.getUint16(SECTOR_LIST + 4 + 2 * index, true),
  );
  const isSound =
    view.getUint32(SECTOR_LIST, true) === crc32(list) &&
    sectors.every((sector) => sector < APPLICATION_SECTORS) &&
    new Set(sectors).size === sectors.length;
  if (!isSound) {
    throw new FormatError('InvalidSlotHeader', 'The slot does not say where its image lies.', {
      rule: `sectors below ${APPLICATION_SECTORS}, each once`,
    });
  }
  return { header, place: applicationPlace(slot, sectors) };
}

/** The parts of flash that hold `length` bytes of a package from `offset` on, in order: as few as may be. */
export function partsOfPackage(
  { sectors }: ImagePlace,
  offset: number,
  length: number,
): readonly FlashRegion[] {
  const parts: { offset: number; length: number }[] = [];
  for (let at = offset; at < offset + length;) {
    const within = at % FLASH_SECTOR;
    const start = (sectors[(at - within) / FLASH_SECTOR] ?? Infinity) + within;
    const taken = Math.min(FLASH_SECTOR - within, offset + length - at);
    const last = parts.at(-1);
    if (last !== undefined && last.offset + last.length === start) last.length += taken;
    else parts.push({ offset: start, length: taken });
    at += taken;
  }
  return parts;
}
