import { concatBytes, utf8Decode, utf8Encode } from '@sevenfold/formats';
import type { ImportsAnswered } from '../import-table.ts';
import { CallRefused } from './errno.ts';
import type { Guest } from './guest.ts';
import { ImageDirectory } from './image-files.ts';
import { FILE_TYPE, NON_BLOCKING, WHENCE } from './open-file.ts';
import { capacity, gather, scatter, vectors } from './vectors.ts';

/** The directory that wasi-libc resolves absolute paths against: the image, preopened. */
const ROOT_FD = 3;
const ROOT_NAME = utf8Encode('/');
const LONGEST_PATH = 1024;
/** `fdflags`: append, dsync, nonblock, rsync, sync. */
const KNOWN_FLAGS = 31;
/** WASI rights: fd_datasync … sock_accept; what a file cannot do it refuses by itself. */
const ALL_RIGHTS = (1n << 30n) - 1n;
const OPEN_FLAG = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;
const RIGHT_TO_WRITE = 1n << 6n;

function offsetOf(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new CallRefused('EINVAL');
  return Number(value);
}

function pathAt(guest: Guest, fd: number, pointer: number, length: number): string {
  const directory = guest.fds.get(fd);
  if (!(directory instanceof ImageDirectory)) throw new CallRefused('ENOTDIR');
  if (length >>> 0 > LONGEST_PATH) throw new CallRefused('ENAMETOOLONG');
  let path: string;
  try {
    path = utf8Decode(guest.memory.copy(pointer, length));
  } catch (error) {
    // No file has such a name: the pointer's own refusal stays what it is.
    throw error instanceof CallRefused ? error : new CallRefused('ENOENT');
  }
  return guest.tree.resolve(directory, path);
}

/** `filestat`: device, inode, type, links, size, and three times, which an image does not keep. */
function writeStat(guest: Guest, pointer: number, fileType: number, size: number): void {
  guest.memory.bytes(pointer, 64).fill(0);
  guest.memory.write8(pointer + 16, fileType);
  guest.memory.write64(pointer + 24, 1n);
  guest.memory.write64(pointer + 32, BigInt(size));
}

/** Runs after a file's own read or write, whether it answered at once or later: files stay as quick as they can be. */
function then<T>(value: T | Promise<T>, finish: (value: T) => void): void | Promise<void> {
  return value instanceof Promise ? value.then(finish) : finish(value);
}

type Wasi = 'wasi_snapshot_preview1';
type FileCall = `fd_${string}` | `path_${string}`;

/** The calls on files that are answered inside. */
export function fileCalls(guest: Guest) {
  const { memory, fds, tree } = guest;
  return {
    fd_advise: (fd: number) => void fds.get(fd),
    fd_datasync: (fd: number) => void fds.get(fd),
    fd_sync: (fd: number) => void fds.get(fd),
    fd_fdstat_get(fd: number, out: number) {
      const file = fds.get(fd);
      memory.bytes(out, 24).fill(0);
      memory.write8(out, file.fileType);
      memory.write16(out + 2, file.flags);
      // A terminal is told by the right to seek that it lacks; then libc writes line by line.
      const rights = file.fileType === FILE_TYPE.characterDevice ? ALL_RIGHTS & ~0x24n : ALL_RIGHTS;
      memory.write64(out + 8, rights);
      memory.write64(out + 16, rights);
    },
    fd_fdstat_set_flags(fd: number, flags: number) {
      if ((flags & ~KNOWN_FLAGS) !== 0) throw new CallRefused('EINVAL');
      // Append, dsync, rsync and sync ask for nothing that is not so already, or cannot be.
      fds.get(fd).flags = flags & NON_BLOCKING;
    },
    fd_filestat_get(fd: number, out: number) {
      const file = fds.get(fd);
      writeStat(guest, out, file.fileType, file.size);
    },
    fd_pread(fd: number, list: number, count: number, offset: bigint, out: number) {
      const parts = vectors(guest, list, count);
      scatter(guest, parts, fds.get(fd).readAt(offsetOf(offset), capacity(parts)), out);
    },
    fd_prestat_get(fd: number, out: number) {
      if (fd !== ROOT_FD) throw new CallRefused('EBADF');
      memory.write32(out, 0);
      memory.write32(out + 4, ROOT_NAME.length);
    },
    fd_prestat_dir_name(fd: number, out: number, length: number) {
      if (fd !== ROOT_FD) throw new CallRefused('EBADF');
      if (length < ROOT_NAME.length) throw new CallRefused('ENAMETOOLONG');
      memory.write(out, ROOT_NAME);
    },
    fd_readdir(fd: number, buffer: number, length: number, cookie: bigint, out: number) {
      memory.require(buffer, length);
      const directory = fds.get(fd);
      if (!(directory instanceof ImageDirectory)) throw new CallRefused('ENOTDIR');
      const listing = tree.list(directory.path).map(({ name, fileType }, index) => {
        const text = utf8Encode(name);
        const entry = new Uint8Array(24 + text.length);
        const view = new DataView(entry.buffer);
        view.setBigUint64(0, BigInt(index + 1), true);
        view.setUint32(16, text.length, true);
        view.setUint8(20, fileType);
        entry.set(text, 24);
        return entry;
      });
      const bytes = concatBytes(...listing.slice(offsetOf(cookie))).subarray(0, length >>> 0);
      memory.write(buffer, bytes);
      memory.write32(out, bytes.length);
    },
    fd_seek(fd: number, offset: bigint, whence: number, out: number) {
      memory.write64(out, BigInt(fds.get(fd).seek(offset, whence)));
    },
    fd_tell(fd: number, out: number) {
      memory.write64(out, BigInt(fds.get(fd).seek(0n, WHENCE.current)));
    },
    path_filestat_get(fd: number, _flags: number, pointer: number, length: number, out: number) {
      const file = tree.open(pathAt(guest, fd, pointer, length));
      writeStat(guest, out, file.fileType, file.size);
    },
    path_open(
      fd: number,
      _lookup: number,
      pointer: number,
      length: number,
      openFlags: number,
      rights: bigint,
      _inheriting: bigint,
      flags: number,
      out: number,
    ) {
      const path = pathAt(guest, fd, pointer, length);
      const exists = tree.file(path) !== null || tree.isDirectory(path);
      if (exists && (openFlags & OPEN_FLAG.create) !== 0 && (openFlags & OPEN_FLAG.exclusive) !== 0) {
        throw new CallRefused('EEXIST');
      }
      if (
        (openFlags & (OPEN_FLAG.create | OPEN_FLAG.truncate)) !== 0 &&
        (!exists || (openFlags & OPEN_FLAG.truncate) !== 0)
      ) {
        throw new CallRefused('EROFS');
      }
      const file = tree.open(path);
      const isDirectory = file instanceof ImageDirectory;
      if ((openFlags & OPEN_FLAG.directory) !== 0 && !isDirectory) throw new CallRefused('ENOTDIR');
      if ((rights & RIGHT_TO_WRITE) !== 0n) throw new CallRefused(isDirectory ? 'EISDIR' : 'EROFS');
      file.flags = flags & NON_BLOCKING;
      memory.write32(out, fds.add(file));
    },
  } satisfies Readonly<Record<ImportsAnswered<Wasi, 'inside'> & FileCall, (...args: never[]) => void>>;
}

/** The calls on files that may have to wait for the kernel. */
export function waitingFileCalls(guest: Guest) {
  const { memory, fds } = guest;
  return {
    fd_close: (fd: number) => fds.take(fd).close(),
    fd_filestat_set_size: (fd: number, size: bigint) => fds.get(fd).truncate(offsetOf(size)),
    async fd_pwrite(fd: number, list: number, count: number, offset: bigint, out: number) {
      memory.require(out, 4);
      memory.write32(out, await fds.get(fd).writeAt(offsetOf(offset), gather(guest, list, count)));
    },
    fd_read(fd: number, list: number, count: number, out: number) {
      memory.require(out, 4);
      const parts = vectors(guest, list, count);
      return then(fds.get(fd).read(capacity(parts)), (bytes) => {
        scatter(guest, parts, bytes, out);
      });
    },
    fd_write(fd: number, list: number, count: number, out: number) {
      memory.require(out, 4);
      return then(fds.get(fd).write(gather(guest, list, count)), (written) => {
        memory.write32(out, written);
      });
    },
  } satisfies Readonly<
    Record<ImportsAnswered<Wasi, 'waits'> & FileCall, (...args: never[]) => void | Promise<void>>
  >;
}
