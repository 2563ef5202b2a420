import { FLASH_SECTOR, FLASH_SIZE } from '@sevenfold/formats';
import type { FlashStorage } from './flash.ts';
import { FUSE_BYTES, type FuseStorage } from './fuses.ts';
import type { RtcStorage } from './peripherals/rtc.ts';

/** Flash in memory, sector by sector as it is used; `copy` makes an independent one, for sweeps over many faults. */
export interface MemoryFlash extends FlashStorage {
  copy(): MemoryFlash;
}

/** Erased flash in memory. */
export function memoryFlash(size: number = FLASH_SIZE): MemoryFlash {
  return makeFlash(size, new Map());
}

function makeFlash(size: number, sectors: Map<number, Uint8Array>): MemoryFlash {
  return {
    size,
    read(offset, length) {
      const bytes = new Uint8Array(length).fill(0xff);
      for (let at = offset; at < offset + length;) {
        const within = at % FLASH_SECTOR;
        const count = Math.min(FLASH_SECTOR - within, offset + length - at);
        const sector = sectors.get(Math.floor(at / FLASH_SECTOR));
        if (sector !== undefined) bytes.set(sector.subarray(within, within + count), at - offset);
        at += count;
      }
      return bytes;
    },
    write(offset, bytes) {
      const index = Math.floor(offset / FLASH_SECTOR);
      // A sector is replaced, never changed in place: copies share it.
      const sector = sectors.get(index)?.slice() ?? new Uint8Array(FLASH_SECTOR).fill(0xff);
      sector.set(bytes, offset % FLASH_SECTOR);
      sectors.set(index, sector);
    },
    close() {},
    copy: () => makeFlash(size, new Map(sectors)),
  };
}

/** Fuses in memory; `copy` makes an independent set. */
export interface MemoryFuses extends FuseStorage {
  copy(): MemoryFuses;
}

/** Blank fuses in memory. */
export function memoryFuses(bytes: Uint8Array = new Uint8Array(FUSE_BYTES)): MemoryFuses {
  const array = bytes.slice();
  return {
    read: () => array.slice(),
    write: (offset, value) => {
      array[offset] = value;
    },
    close() {},
    copy: () => memoryFuses(array),
  };
}

/** A battery that was just put in, kept in memory. */
export function memoryRtc(): RtcStorage {
  let ahead: number | null = null;
  return {
    read: () => ahead,
    write(milliseconds) {
      ahead = milliseconds;
    },
    close() {},
  };
}
