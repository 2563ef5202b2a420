import { FILE_SYSTEM_LIMITS, type FileEntry, FILE_SYSTEM_LAYOUT } from './asxipfs.ts';
import { compareBytes, crc32, equalBytes, plainBytes, viewOf } from './bytes.ts';
import { FormatError, type FormatErrorCode } from './errors.ts';
import { utf8Decode } from './utf8.ts';

/** The files of an ASXipFS image, read-only. Bytes are views into the image. */
export interface FileSystem {
  /** Absolute paths of all files, in the order of their directories. */
  paths(): string[];
  /** Content of a file, or `null` where there is none of that path. */
  read(path: string): Uint8Array | null;
  isExecutable(path: string): boolean;
}

interface Inode {
  readonly mode: number;
  readonly size: number;
  readonly nameLength: number;
  readonly offset: number;
}

function refuse(code: FormatErrorCode, message: string, field: string, rule?: string): never {
  throw new FormatError(code, message, { field, rule });
}

class FileSystemParser {
  readonly #image: Uint8Array;
  readonly #view: DataView;
  readonly #files: FileEntry[] = [];
  readonly #extents: { start: number; end: number; path: string }[] = [];
  /** Inodes in pre-order, as the format lays their contents out. */
  readonly #directories: Inode[] = [];
  readonly #contents: Inode[] = [];
  #nodes = 0;

  constructor(image: Uint8Array) {
    this.#image = image;
    this.#view = viewOf(image);
  }

  /** `isVouched`: its signature was verified, so that its checksum, which is against chance, has nothing to add. */
  parse(isVouched: boolean): readonly FileEntry[] {
    this.#superblock();
    if (!isVouched) this.#checksum();
    const root = this.#inode(FILE_SYSTEM_LAYOUT.rootInode, '/');
    if (root.mode !== FILE_SYSTEM_LAYOUT.directoryMode || root.nameLength !== 0) {
      refuse('InvalidSuperblock', 'The root inode is not a plain directory without a name.', '/');
    }
    this.#claim(0, FILE_SYSTEM_LAYOUT.firstDirectory, 'superblock');
    this.#directory(root, '', 0);
    const promised = this.#view.getUint32(44, true);
    if (promised !== this.#nodes) {
      refuse(
        'FileCountMismatch',
        `The superblock promises ${promised} nodes, there are ${this.#nodes}.`,
        'files',
      );
    }
    this.#checkOverlaps();
    if (!this.#isCanonical()) {
      refuse(
        'NotCanonical',
        'The image is not laid out as the format demands.',
        'image',
        'one image for one set of files',
      );
    }
    return this.#files;
  }

  #superblock(): void {
    const image = this.#image;
    const view = this.#view;
    if (image.length < FILE_SYSTEM_LAYOUT.page)
      refuse('FileSystemTooShort', 'The image is shorter than one page.', 'size', '≥ 4096');
    if (image.length > FILE_SYSTEM_LIMITS.maxBytes) {
      refuse(
        'FileSystemTooLarge',
        `The image has ${image.length} bytes.`,
        'size',
        `at most ${FILE_SYSTEM_LIMITS.maxBytes}`,
      );
    }
    if (view.getUint32(0, true) !== FILE_SYSTEM_LAYOUT.magic) {
      refuse('InvalidSuperblock', 'This is not an ASXipFS image.', 'magic', '0x28CD3D45');
    }
    const size = view.getUint32(4, true);
    if (size !== image.length || size % FILE_SYSTEM_LAYOUT.page !== 0) {
      refuse(
        'FileSystemSizeMismatch',
        `The superblock promises ${size} bytes, there are ${image.length}.`,
        'size',
      );
    }
    const fixed =
      view.getUint32(8, true) === FILE_SYSTEM_LAYOUT.flags &&
      view.getUint32(12, true) === 0 &&
      equalBytes(image.subarray(16, 32), FILE_SYSTEM_LAYOUT.signature) &&
      view.getUint32(36, true) === 0 &&
      view.getUint32(40, true) === 0 &&
      equalBytes(image.subarray(48, 64), FILE_SYSTEM_LAYOUT.volume);
    if (!fixed)
      refuse('InvalidSuperblock', 'A fixed field of the superblock has another value.', 'superblock');
  }

  #checksum(): void {
    const at = FILE_SYSTEM_LAYOUT.crcOffset;
    // Over the image with its own place zeroed.
    const before = crc32(new Uint8Array(4), crc32(this.#image.subarray(0, at)));
    if (crc32(this.#image.subarray(at + 4), before) !== this.#view.getUint32(at, true)) {
      refuse('ChecksumMismatch', 'The checksum of the image does not match.', 'crc');
    }
  }

  #inode(at: number, path: string): Inode {
    const mode = this.#view.getUint16(at, true);
    const sizeAndGroup = this.#view.getUint32(at + 4, true);
    const nameAndOffset = this.#view.getUint32(at + 8, true);
    if (this.#view.getUint16(at + 2, true) !== 0 || sizeAndGroup >>> 24 !== 0) {
      refuse('InvalidOwner', `${JSON.stringify(path)} does not belong to user 0 and group 0.`, path);
    }
    this.#nodes += 1;
    if (this.#nodes > FILE_SYSTEM_LIMITS.maxNodes) {
      refuse(
        'TooManyFiles',
        'The image holds too many files.',
        path,
        `at most ${FILE_SYSTEM_LIMITS.maxNodes}`,
      );
    }
    return {
      mode,
      size: sizeAndGroup & 0xffffff,
      nameLength: (nameAndOffset & 63) * 4,
      offset: (nameAndOffset >>> 6) * 4,
    };
  }

  #claim(start: number, end: number, path: string): void {
    if (end > this.#image.length) {
      refuse('EntryOutOfBounds', `${JSON.stringify(path)} reaches past the end of the image.`, path);
    }
    if (end > start) this.#extents.push({ start, end, path });
  }

  #directory(inode: Inode, path: string, depth: number): void {
    if (depth > FILE_SYSTEM_LIMITS.maxDepth) {
      refuse(
        'DirectoryTooDeep',
        `${JSON.stringify(path)} lies too deep.`,
        path,
        `at most ${FILE_SYSTEM_LIMITS.maxDepth}`,
      );
    }
    const end = inode.offset + inode.size;
    this.#claim(inode.offset, end, path === '' ? '/' : path);
    this.#directories.push(inode);
    let previous: Uint8Array | null = null;
    for (let at = inode.offset; at < end;) {
      if (at + FILE_SYSTEM_LAYOUT.inodeLength > end) {
        refuse(
          'EntryOutOfBounds',
          `An entry reaches past the end of its directory ${JSON.stringify(path)}.`,
          path,
        );
      }
      const child = this.#inode(at, path);
      const nameStart = at + FILE_SYSTEM_LAYOUT.inodeLength;
      at = nameStart + child.nameLength;
      if (at > end) {
        refuse(
          'EntryOutOfBounds',
          `A name reaches past the end of its directory ${JSON.stringify(path)}.`,
          path,
        );
      }
      const name = this.#name(this.#image.subarray(nameStart, at), path);
      this.#checkOrder(previous, name.bytes, path);
      previous = name.bytes;
      this.#node(child, `${path}/${name.text}`, depth);
    }
  }

  #node(inode: Inode, path: string, depth: number): void {
    switch (inode.mode & 0o170000) {
      case 0o040000:
        if (inode.mode !== FILE_SYSTEM_LAYOUT.directoryMode)
          refuse('InvalidMode', `The mode of ${JSON.stringify(path)} is odd.`, path);
        this.#directory(inode, path, depth + 1);
        return;
      case 0o100000:
        this.#file(inode, path);
        return;
      default:
        // Device nodes once gave apps of the original access to devices: only files and directories exist here.
        refuse('UnsupportedNodeType', `${JSON.stringify(path)} is neither a file nor a directory.`, path);
    }
  }

  #file(inode: Inode, path: string): void {
    if (inode.mode !== FILE_SYSTEM_LAYOUT.fileMode && inode.mode !== FILE_SYSTEM_LAYOUT.executableMode) {
      refuse('InvalidMode', `The mode of ${JSON.stringify(path)} is odd.`, path, '0101644 or 0101755');
    }
    if (inode.size > 0 && inode.offset % FILE_SYSTEM_LAYOUT.page !== 0) {
      refuse(
        'MisalignedFile',
        `${JSON.stringify(path)} does not start on a page.`,
        path,
        'a multiple of 4096',
      );
    }
    const end = inode.offset + inode.size;
    this.#claim(inode.offset, end, path);
    this.#contents.push(inode);
    this.#files.push({
      path,
      bytes: this.#image.subarray(inode.offset, end),
      executable: inode.mode === FILE_SYSTEM_LAYOUT.executableMode,
    });
  }

  #name(padded: Uint8Array, directory: string): { text: string; bytes: Uint8Array } {
    const zero = padded.indexOf(0);
    const bytes = zero < 0 ? padded : padded.subarray(0, zero);
    let text = '';
    try {
      text = utf8Decode(bytes);
    } catch {
      // An undecodable name is refused below like an empty one.
    }
    const rule = 'UTF-8 padded with zeros; not empty, no /, not . or ..';
    if (text === '' || text === '.' || text === '..' || text.includes('/')) {
      refuse(
        'InvalidFileName',
        `A name in ${JSON.stringify(directory)} is not a plain file name.`,
        directory,
        rule,
      );
    }
    if (padded.length - bytes.length > 3 || padded.subarray(bytes.length).some((byte) => byte !== 0)) {
      refuse(
        'InvalidFileName',
        `A name in ${JSON.stringify(directory)} is not padded with zeros.`,
        directory,
        rule,
      );
    }
    return { text, bytes };
  }

  #checkOrder(previous: Uint8Array | null, name: Uint8Array, path: string): void {
    const order = previous === null ? -1 : compareBytes(previous, name);
    if (order === 0)
      refuse('DuplicateFileName', `Two entries of ${JSON.stringify(path)} have one name.`, path);
    if (order > 0)
      refuse('DirectoryNotSorted', `The entries of ${JSON.stringify(path)} are not sorted.`, path);
  }

  /**
   * One set of files has one image, the one that `writeFileSystem` makes. What is left to settle is where contents lie,
   * and that nothing is hidden between them: directories first, without a gap, then the files, each on a page.
   */
  #isCanonical(): boolean {
    const { firstDirectory, page } = FILE_SYSTEM_LAYOUT;
    let at: number = firstDirectory;
    for (const { offset, size } of this.#directories) {
      // Only an image without files has a directory without entries: its root.
      if (size === 0 ? offset !== 0 || this.#nodes > 1 : offset !== at) return false;
      at += size;
    }
    for (const { offset, size } of this.#contents) {
      const start = Math.ceil(at / page) * page;
      if (size === 0 ? offset !== 0 : offset !== start || !this.#isBlank(at, start)) return false;
      if (size > 0) at = start + size;
    }
    const end = Math.ceil(at / page) * page;
    return end === this.#image.length && this.#isBlank(at, end);
  }

  #isBlank(start: number, end: number): boolean {
    const [image, view] = [this.#image, this.#view];
    let at = start;
    // Gaps of pages are long, and looked at when a chip boots, before anything is compiled: four bytes a step.
    for (; at + 4 <= end; at += 4) if (view.getInt32(at, true) !== 0) return false;
    for (; at < end; at++) if (image[at] !== 0) return false;
    return true;
  }

  #checkOverlaps(): void {
    const sorted = this.#extents.toSorted((a, b) => a.start - b.start);
    for (const [index, extent] of sorted.entries()) {
      const next = sorted[index + 1];
      if (next !== undefined && next.start < extent.end) {
        refuse('OverlappingEntries', `${extent.path} and ${next.path} share bytes of the image.`, next.path);
      }
    }
  }
}

/**
 * Reads an ASXipFS image. Only plain files and directories of user 0 are accepted, nothing may overlap,
 * and the whole image must be the one that its files have: whatever is accepted writes again to the same bytes.
 */
export function parseFileSystem(untrusted: Uint8Array): FileSystem {
  return read(untrusted, false);
}

/**
 * As `parseFileSystem`, where a signature over all of the image has been verified: the checksum is not computed once
 * more. Whatever a signer could get wrong, or do on purpose, is refused all the same.
 */
export function parseSignedFileSystem(signed: Uint8Array): FileSystem {
  return read(signed, true);
}

function read(image: Uint8Array, isVouched: boolean): FileSystem {
  const entries = new FileSystemParser(plainBytes(image)).parse(isVouched);
  const files = new Map(entries.map((file) => [file.path, file]));
  return {
    paths: () => [...files.keys()],
    read: (path) => files.get(path)?.bytes ?? null,
    isExecutable: (path) => files.get(path)?.executable === true,
  };
}
