import {
  APPLICATION_HEADER_LENGTH,
  APPLICATION_SECTORS,
  APPLICATION_SLOTS,
  FLASH_SECTOR,
  SLOT_COMPLETE_MARK,
  applicationPlace,
  concatBytes,
  decodeApplicationSlot,
  decodeSlotHeader,
  encodeSlotHeader,
  equalBytes,
  partsOfPackage,
  sectorOffset,
  slotCapacity,
  systemPlace,
  type FlashRegion,
  type ImagePlace,
  type SlotHeader,
} from '@sevenfold/formats';
import { MonitorError } from './errors.ts';
import type { FlashPort } from './ports.ts';

const ALL_SECTORS = Array.from({ length: APPLICATION_SECTORS }, (_, sector) => sector);

/** What a slot says it holds, and where. */
export interface FoundImage {
  readonly header: SlotHeader;
  readonly place: ImagePlace;
}

/** A slot of the system by its region, or of an app by its number. */
export type AnySlot = FlashRegion | number;

/** What lies in a slot; null: nothing, or nothing that can be relied on. For whoever asks, the slot is empty then. */
export async function findImage(flash: FlashPort, slot: AnySlot): Promise<FoundImage | null> {
  try {
    if (typeof slot !== 'number') {
      const header = decodeSlotHeader(await flash.read(slot.offset, 256), slotCapacity(slot));
      return { header, place: systemPlace(slot, header.size) };
    }
    const { header: offset } = applicationPlace(slot, []);
    return decodeApplicationSlot(await flash.read(offset, APPLICATION_HEADER_LENGTH), slot);
  } catch {
    return null;
  }
}

/** Bytes of a package, from wherever its sectors lie. */
export async function readPackage(
  flash: FlashPort,
  place: ImagePlace,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const part of partsOfPackage(place, offset, length))
    parts.push(await flash.read(part.offset, part.length));
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : concatBytes(...parts);
}

/** Writes an image of the system into another slot of its type, sector by sector, and the header when all of it is there. */
export async function copyImage(flash: FlashPort, image: FoundImage, slot: FlashRegion): Promise<void> {
  const { header, place } = image;
  const target = systemPlace(slot, header.size);
  await flash.erase(target.header, FLASH_SECTOR);
  for (const [index, offset] of target.sectors.entries()) {
    const at = index * FLASH_SECTOR;
    await flash.erase(offset, FLASH_SECTOR);
    await flash.program(
      offset,
      await readPackage(flash, place, at, Math.min(FLASH_SECTOR, header.size - at)),
    );
  }
  await flash.program(target.header, encodeSlotHeader(header));
  await flash.program(target.header + SLOT_COMPLETE_MARK, Uint8Array.of(0));
}

/** Whether two headers are of the very same image. */
export function isSameImage(a: SlotHeader, b: SlotHeader): boolean {
  return (
    a.imageType === b.imageType &&
    a.componentId === b.componentId &&
    a.imageId === b.imageId &&
    a.size === b.size &&
    equalBytes(a.digest, b.digest)
  );
}

/**
 * Where an app's image goes: where it was begun, or else into a slot that is not among `kept` and into sectors that none
 * of those has and that are not `worn` (offsets in flash), nor, while there are others, another image that was begun and may be gone on with. So there is always
 * room for what is within the limits, in whatever order apps came and went.
 */
export async function placeApplication(
  flash: FlashPort,
  kept: ReadonlyMap<number, ImagePlace | null>,
  worn: ReadonlySet<number>,
  image: SlotHeader,
): Promise<{ readonly slot: number; readonly place: ImagePlace }> {
  const needed = new Set([...worn, ...[...kept.values()].flatMap((place) => place?.sectors ?? [])]);
  const begun: { readonly slot: number; readonly place: ImagePlace }[] = [];
  const empty: number[] = [];
  for (let slot = 0; slot < APPLICATION_SLOTS; slot++) {
    if (kept.has(slot) || worn.has(applicationPlace(slot, []).header)) continue;
    const found = await findImage(flash, slot);
    // What begins in a sector that wore out goes on elsewhere. And whoever writes flash may have made a header that
    // points into what runs: that is nothing to go on with either.
    if (found === null || found.place.sectors.some((sector) => needed.has(sector))) empty.push(slot);
    else if (isSameImage(found.header, image)) return { slot, place: found.place };
    else begun.push({ slot, place: found.place });
  }
  const count = Math.ceil(image.size / FLASH_SECTOR);
  for (;;) {
    const taken = new Set([...needed, ...begun.flatMap(({ place }) => place.sectors)]);
    const free = ALL_SECTORS.filter((sector) => !taken.has(sectorOffset(sector)));
    const [slot] = empty;
    if (slot !== undefined && free.length >= count)
      return { slot, place: applicationPlace(slot, free.slice(0, count)) };
    const given = begun.shift();
    if (given === undefined)
      throw new MonitorError('NotEnoughFreeSpace', 'There is no room for another app in flash.');
    // Its sectors are about to be another's: nobody may go on with it.
    await flash.erase(given.place.header, FLASH_SECTOR);
    empty.push(given.slot);
  }
}
