import { CallRefused } from './errno.ts';

/** Readiness bits: epoll's. */
export const READY = { input: 1, output: 4, error: 8, hangUp: 16 } as const;

/** WASI's file types. */
export const FILE_TYPE = {
  unknown: 0,
  characterDevice: 2,
  directory: 3,
  regularFile: 4,
  datagram: 5,
  stream: 6,
} as const;

/** WASI's fdflags; the one that counts here. */
export const NON_BLOCKING = 4;

/** What is ready now, and when that may change by time alone (monotonic ms; null: never). */
export interface Readiness {
  readonly events: number;
  readonly changesAt: number | null;
}

/** Whence of a seek, WASI's. */
export const WHENCE = { set: 0, current: 1, end: 2 } as const;

/**
 * Whatever a file descriptor stands for. One table holds them all; each kind answers what it can,
 * and refuses the rest with the errno that POSIX has for it.
 */
export abstract class OpenFile {
  abstract readonly fileType: number;
  /** WASI fdflags, set by the app. */
  flags = 0;

  /** At most `most` bytes; empty at the end. */
  read(_most: number): Uint8Array | Promise<Uint8Array> {
    throw new CallRefused('EBADF');
  }

  /** The number of bytes taken. */
  write(_bytes: Uint8Array): number | Promise<number> {
    throw new CallRefused('EBADF');
  }

  /** As `read` at a place of its own. */
  readAt(_offset: number, _most: number): Uint8Array {
    throw new CallRefused('ESPIPE');
  }

  writeAt(_offset: number, _bytes: Uint8Array): Promise<number> {
    throw new CallRefused('ESPIPE');
  }

  /** Moves and gives the position. */
  seek(_offset: bigint, _whence: number): number {
    throw new CallRefused('ESPIPE');
  }

  truncate(_size: number): Promise<void> {
    throw new CallRefused('EINVAL');
  }

  /** Size in bytes; 0 for what has none. */
  get size(): number {
    return 0;
  }

  /** Null: a file that cannot be waited for, since it is always ready. */
  readiness(): Readiness | null {
    return null;
  }

  close(): void | Promise<void> {
    return undefined;
  }
}
