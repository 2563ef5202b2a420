import { crc32, writeFileSystem, type FileEntry } from '@sevenfold/formats';

/** Where the checksum of a file system image is. */
const CRC_OFFSET = 32;

/** An image of these files with its bytes changed by hand, and a checksum that fits them again. */
export function forgedFileSystem(
  files: readonly FileEntry[],
  forge: (image: DataView, bytes: Uint8Array) => void,
): Uint8Array {
  const bytes = writeFileSystem(files);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  forge(view, bytes);
  view.setUint32(CRC_OFFSET, 0, true);
  view.setUint32(CRC_OFFSET, crc32(bytes), true);
  return bytes;
}

/** Offset of the inode whose name begins with these letters. */
export function inodeOf(bytes: Uint8Array, name: string): number {
  const at = Buffer.from(bytes).indexOf(name, 0, 'latin1');
  if (at < 12) throw new Error(`There is no ${name} in this image.`);
  return at - 12;
}
