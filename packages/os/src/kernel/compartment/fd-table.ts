import { CallRefused } from './errno.ts';
import type { OpenFile } from './open-file.ts';

const MOST_OPEN = 64;

/** The one table of a compartment's file descriptors: files, timers, pins, connections. */
export class FdTable {
  readonly #files: (OpenFile | null)[] = [];

  /** The lowest free number, as POSIX has it. Refuses with EMFILE. */
  add(file: OpenFile): number {
    const free = this.#files.indexOf(null);
    const fd = free === -1 ? this.#files.length : free;
    if (fd >= MOST_OPEN) throw new CallRefused('EMFILE');
    this.#files[fd] = file;
    return fd;
  }

  /** Refuses with EMFILE if `add` would: asked before something is opened that would have to be undone. */
  reserve(): void {
    if (this.#files.length >= MOST_OPEN && !this.#files.includes(null)) throw new CallRefused('EMFILE');
  }

  get(fd: number): OpenFile {
    const file = this.#files[fd >>> 0];
    if (file === null || file === undefined) throw new CallRefused('EBADF');
    return file;
  }

  /** The file if it is of this kind; EBADF otherwise. */
  getAs<T extends OpenFile>(fd: number, kind: new (...args: never[]) => T): T {
    const file = this.get(fd);
    if (!(file instanceof kind)) throw new CallRefused('EBADF');
    return file;
  }

  /** Whether the number stands for this very file. */
  is(fd: number, file: OpenFile): boolean {
    return this.#files[fd >>> 0] === file;
  }

  take(fd: number): OpenFile {
    const file = this.get(fd);
    this.#files[fd >>> 0] = null;
    return file;
  }

  /** An open file of this kind, if there is one. */
  find<T extends OpenFile>(kind: new (...args: never[]) => T): T | null {
    return this.#files.find((file): file is T => file instanceof kind) ?? null;
  }
}
