import { describe, expect, it } from 'vitest';
import {
  APPLICATION_HEADER_LENGTH,
  APPLICATION_SECTORS,
  APPLICATION_SLOTS,
  applicationPlace,
  decodeApplicationSlot,
  encodeSectorList,
  partsOfPackage,
  systemPlace,
} from './application-area.ts';
import { FLASH_MAP, FLASH_SECTOR } from './flash-map.ts';
import { encodeSlotHeader } from './slot.ts';

const header = {
  imageType: 10,
  componentId: '11111111-2222-4333-8444-555555555555',
  imageId: 'aaaaaaaa-2222-4333-8444-555555555555',
  size: 4 * FLASH_SECTOR + 17,
  digest: new Uint8Array(32),
};

/** The header sector of slot 3 as flash would hold it. */
function sectorWith(sectors: readonly number[]): Uint8Array {
  const place = applicationPlace(3, sectors);
  const bytes = new Uint8Array(FLASH_SECTOR).fill(0xff);
  bytes.set(encodeSlotHeader(header));
  const list = encodeSectorList(place);
  bytes.set(list.bytes, list.offset - place.header);
  return bytes;
}

describe('the area of apps', () => {
  it('has room for what runs, a fallback and what is staged, however small the images are', () => {
    const { most, bytes } = FLASH_MAP.applications;
    // The last sector of each package may be nearly empty.
    expect(APPLICATION_SECTORS).toBeGreaterThanOrEqual(3 * (bytes / FLASH_SECTOR + most));
    const last = applicationPlace(APPLICATION_SLOTS - 1, [0, APPLICATION_SECTORS - 1]);
    expect(last.header).toBeLessThan(last.sectors[0] ?? 0);
    expect((last.sectors[1] ?? 0) + FLASH_SECTOR).toBe(FLASH_MAP.records.offset);
  });

  it('says in the header sector where a package lies', () => {
    const sectors = [9, 10, 11, 2, APPLICATION_SECTORS - 1];
    const untrusted = sectorWith(sectors).subarray(0, APPLICATION_HEADER_LENGTH);
    expect(decodeApplicationSlot(untrusted, 3)).toEqual({ header, place: applicationPlace(3, sectors) });
  });

  it('takes no list that is damaged, leads out of the area or names a sector twice', () => {
    const refused = (bytes: Uint8Array): void =>
      expect(() => decodeApplicationSlot(bytes, 3)).toThrow(
        expect.objectContaining({ code: 'InvalidSlotHeader' }),
      );
    refused(sectorWith([9, 10, 11, 2, APPLICATION_SECTORS]));
    refused(sectorWith([9, 10, 11, 2, 9]));
    // The list is programmed after the header: power may go in between.
    refused(sectorWith([9, 10, 11, 2, 5]).fill(0xff, 1024));
    for (let bit = 0; bit < 14 * 8; bit++) {
      const bytes = sectorWith([9, 10, 11, 2, 5]);
      const at = 1024 + (bit >> 3);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
      refused(bytes);
    }
  });

  it('is read in as few parts as there are gaps', () => {
    const place = applicationPlace(0, [5, 6, 7, 1, 2]);
    const base = applicationPlace(0, [0]).sectors[0] ?? 0;
    expect(partsOfPackage(place, 0, header.size)).toEqual([
      { offset: base + 5 * FLASH_SECTOR, length: 3 * FLASH_SECTOR },
      { offset: base + FLASH_SECTOR, length: FLASH_SECTOR + 17 },
    ]);
    expect(partsOfPackage(place, 3 * FLASH_SECTOR - 1, 2)).toEqual([
      { offset: base + 8 * FLASH_SECTOR - 1, length: 1 },
      { offset: base + FLASH_SECTOR, length: 1 },
    ]);
    expect(partsOfPackage(place, 7, 0)).toEqual([]);
    const slot = FLASH_MAP.system.Services.A;
    expect(partsOfPackage(systemPlace(slot, 90_000), 100, 80_000)).toEqual([
      { offset: slot.offset + FLASH_SECTOR + 100, length: 80_000 },
    ]);
  });
});
