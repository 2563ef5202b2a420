import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { FLASH_SIZE } from '@sevenfold/formats';
import { SiliconError } from './errors.ts';
import type { FlashStorage } from './flash.ts';
import { FUSE_BYTES, type FuseStorage } from './fuses.ts';
import type { RtcStorage } from './peripherals/rtc.ts';

/** Opens a file of exactly `size` bytes, made full of holes where there is none yet. */
function openFile(path: string, size: number): number {
  const handle = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  const present = fstatSync(handle).size;
  if (present === 0) ftruncateSync(handle, size);
  else if (present !== size) {
    closeSync(handle);
    throw new SiliconError('StorageUnusable', `${path} has ${present} bytes.`, { rule: `${size} bytes` });
  }
  return handle;
}

function readFully(handle: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const count = readSync(handle, bytes, done, length - done, offset + done);
    if (count === 0)
      throw new SiliconError('StorageUnusable', 'The file behind the chip has become shorter.');
    done += count;
  }
  return bytes;
}

/** All of it or `StorageUnusable`: a full disk must not pass for programmed flash. */
function writeFully(handle: number, offset: number, bytes: Uint8Array): void {
  const written = writeSync(handle, bytes, 0, bytes.length, offset);
  if (written !== bytes.length) {
    throw new SiliconError('StorageUnusable', `Only ${written} of ${bytes.length} bytes could be written.`);
  }
}

/** Turns every bit of bytes that begin at a word of their own buffer, four at a time: images are read at each boot. */
function invert(bytes: Uint8Array): Uint8Array {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (let index = 0; index < words.length; index++) words[index] = ~(words[index] ?? 0);
  for (let index = words.length * 4; index < bytes.length; index++) bytes[index] = (bytes[index] ?? 0) ^ 0xff;
  return bytes;
}

/**
 * Flash in a file, read page by page as it is needed. Every write is one positioned write, so that killing the
 * process is nothing but a power cut. The file holds inverted bits: a hole in it (zeros) is erased flash.
 */
export function fileFlash(path: string, size: number = FLASH_SIZE): FlashStorage {
  const handle = openFile(path, size);
  return {
    size,
    read: (offset, length) => invert(readFully(handle, offset, length)),
    write(offset, bytes) {
      writeFully(handle, offset, invert(new Uint8Array(bytes)));
    },
    close() {
      fsyncSync(handle);
      closeSync(handle);
    },
  };
}

/** Fuses in a file, written through: a burnt bit is on the disk before `write` returns. */
export function fileFuses(path: string): FuseStorage {
  const handle = openFile(path, FUSE_BYTES);
  return {
    read: () => readFully(handle, 0, FUSE_BYTES),
    write(offset, value) {
      writeFully(handle, offset, Uint8Array.of(value));
      fsyncSync(handle);
    },
    close: () => closeSync(handle),
  };
}

/** Bytes of the battery's file: a mark that it was set, and milliseconds as a signed 64-bit number. */
const RTC_BYTES = 16;

/** What the battery of the real-time clock keeps, in a file: how far it is ahead of the machine's time. */
export function fileRtc(path: string): RtcStorage {
  const handle = openFile(path, RTC_BYTES);
  return {
    read() {
      const bytes = readFully(handle, 0, RTC_BYTES);
      const view = new DataView(bytes.buffer);
      return view.getUint32(0) === 1 ? Number(view.getBigInt64(8)) : null;
    },
    write(ahead) {
      const view = new DataView(new ArrayBuffer(RTC_BYTES));
      view.setUint32(0, 1);
      view.setBigInt64(8, BigInt(Math.round(ahead)));
      writeFully(handle, 0, new Uint8Array(view.buffer));
    },
    close: () => closeSync(handle),
  };
}
