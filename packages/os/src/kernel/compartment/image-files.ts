import { CallRefused } from './errno.ts';
import { FILE_TYPE, OpenFile, WHENCE } from './open-file.ts';

/** Position after a seek; EINVAL before the start or past what a number holds. */
export function seekTo(offset: bigint, whence: number, position: number, size: number): number {
  const base =
    whence === WHENCE.set ? 0 : whence === WHENCE.current ? position : whence === WHENCE.end ? size : null;
  if (base === null) throw new CallRefused('EINVAL');
  const target = BigInt(base) + offset;
  if (target < 0n || target > BigInt(Number.MAX_SAFE_INTEGER)) throw new CallRefused('EINVAL');
  return Number(target);
}

/** A file of the image package: read only. */
export class ImageFile extends OpenFile {
  readonly fileType = FILE_TYPE.regularFile;
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = bytes;
  }

  override get size(): number {
    return this.#bytes.length;
  }

  override readAt(offset: number, most: number): Uint8Array {
    return this.#bytes.subarray(Math.min(offset, this.size), Math.min(offset + most, this.size));
  }

  override read(most: number): Uint8Array {
    const bytes = this.readAt(this.#position, most);
    this.#position += bytes.length;
    return bytes;
  }

  override seek(offset: bigint, whence: number): number {
    this.#position = seekTo(offset, whence, this.#position, this.size);
    return this.#position;
  }
}

/** A directory of the image package, opened. */
export class ImageDirectory extends OpenFile {
  readonly fileType = FILE_TYPE.directory;
  /** Path without a slash at its end; empty for the root. */
  readonly path: string;

  constructor(path: string) {
    super();
    this.path = path;
  }

  override read(): never {
    throw new CallRefused('EISDIR');
  }
}

/** One entry of a directory listing. */
export interface DirectoryEntry {
  readonly name: string;
  readonly fileType: number;
}

/** The whole view an app has of its image: nothing of the device is reachable through a path. */
export class ImageTree {
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(files: readonly { readonly path: string; readonly bytes: Uint8Array }[]) {
    this.#files = new Map(files.map(({ path, bytes }) => [path, bytes]));
  }

  /**
   * Joins a directory and an untrusted relative path. The image is all there is: `..` of its root is the root, as in
   * POSIX (XBD 4.16), and there are no links.
   */
  resolve(directory: ImageDirectory, untrustedPath: string): string {
    if (untrustedPath.includes('\0')) throw new CallRefused('EINVAL');
    if (untrustedPath.startsWith('/')) throw new CallRefused('ENOTCAPABLE');
    const parts = directory.path.split('/').filter((part) => part !== '');
    for (const part of untrustedPath.split('/')) {
      if (part === '..') parts.pop();
      else if (part !== '' && part !== '.') parts.push(part);
    }
    return parts.length === 0 ? '' : `/${parts.join('/')}`;
  }

  isDirectory(path: string): boolean {
    return path === '' || [...this.#files.keys()].some((file) => file.startsWith(`${path}/`));
  }

  file(path: string): Uint8Array | null {
    return this.#files.get(path) ?? null;
  }

  /** Opens a file or directory. ENOENT when there is none. */
  open(path: string): ImageFile | ImageDirectory {
    const bytes = this.file(path);
    if (bytes !== null) return new ImageFile(bytes);
    if (this.isDirectory(path)) return new ImageDirectory(path);
    throw new CallRefused('ENOENT');
  }

  /** The entries of a directory, sorted. */
  list(path: string): readonly DirectoryEntry[] {
    const entries = new Map<string, number>();
    for (const file of this.#files.keys()) {
      if (!file.startsWith(`${path}/`)) continue;
      const [name = '', ...deeper] = file.slice(path.length + 1).split('/');
      entries.set(name, deeper.length === 0 ? FILE_TYPE.regularFile : FILE_TYPE.directory);
    }
    return [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, fileType]) => ({ name, fileType }));
  }
}
