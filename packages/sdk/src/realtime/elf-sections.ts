/** Bytes of an ELF32 header, of a section header, and where in them is what is read here. */
const HEADER = { size: 52, sections: 32, entrySize: 46, count: 48, names: 50 } as const;
const SECTION = { size: 40, name: 0, offset: 16, length: 20 } as const;

/**
 * A section of an ELF32 file that a linker has just made, by its name; null: there is none. Throws `RangeError` where
 * the file is not what it says.
 */
export function elfSection(file: Uint8Array, wanted: string): Uint8Array | null {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < HEADER.size || view.getUint16(HEADER.entrySize, true) !== SECTION.size) return null;
  const table = view.getUint32(HEADER.sections, true);
  const header = (index: number): number => table + index * SECTION.size;
  const bytesOf = (index: number): Uint8Array => {
    const start = view.getUint32(header(index) + SECTION.offset, true);
    return file.subarray(start, start + view.getUint32(header(index) + SECTION.length, true));
  };
  const names = bytesOf(view.getUint16(HEADER.names, true));
  for (let index = 0; index < view.getUint16(HEADER.count, true); index++) {
    const at = view.getUint32(header(index) + SECTION.name, true);
    const name = new TextDecoder().decode(names.subarray(at, names.indexOf(0, at)));
    if (name === wanted) return bytesOf(index);
  }
  return null;
}
