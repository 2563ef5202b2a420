import { createHash } from 'node:crypto';
import { access, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { ServiceError } from '../service-error.ts';
import type { BlobStore } from './blob-store.ts';

/** Opens (or makes, mode 0700) a folder of blobs: `ab/abcd…`, and `incoming/` for what is being written. */
export async function openFolderBlobStore(folder: string): Promise<BlobStore> {
  const incoming = path.join(folder, 'incoming');
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  // What lies there was being written when the service died: nobody was told of it.
  for (const name of await readdir(incoming)) await rm(path.join(incoming, name));
  return new FolderBlobStore(folder, incoming);
}

class FolderBlobStore implements BlobStore {
  readonly #folder: string;
  readonly #incoming: string;
  #written = 0;

  constructor(folder: string, incoming: string) {
    this.#folder = folder;
    this.#incoming = incoming;
  }

  async put(bytes: Uint8Array): Promise<string> {
    const digest = sha256(bytes);
    const target = this.#pathOf(digest);
    if (await this.#isWhole(digest)) return digest;
    const temporary = path.join(this.#incoming, String(this.#written++));
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } catch (error) {
      // A full disk is not to be kept full by what did not fit.
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    const shelf = path.dirname(target);
    if ((await mkdir(shelf, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(this.#folder);
    await rename(temporary, target);
    // The name, too, has to survive a power cut.
    await syncFolder(shelf);
    return digest;
  }

  async read(digest: string): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await readFile(this.#pathOf(digest)));
    } catch (cause) {
      if (!isNotFound(cause)) throw cause;
      throw new ServiceError('NotFound', `There is no blob ${digest}.`, { cause });
    }
    if (sha256(bytes) !== digest) {
      throw new ServiceError('BlobDamaged', `The blob ${digest} is damaged on disk.`, {
        rule: 'the SHA-256 of a blob is its name',
      });
    }
    return bytes;
  }

  async has(digest: string): Promise<boolean> {
    try {
      await access(this.#pathOf(digest));
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async remove(digest: string): Promise<void> {
    await rm(this.#pathOf(digest), { force: true });
  }

  /** A damaged blob is written again rather than believed. */
  async #isWhole(digest: string): Promise<boolean> {
    try {
      await this.read(digest);
      return true;
    } catch (error) {
      if (error instanceof ServiceError) return false;
      throw error;
    }
  }

  #pathOf(digest: string): string {
    if (!/^[0-9a-f]{64}$/.test(digest)) {
      throw new ServiceError('NotFound', 'This is not the name of a blob.', { rule: '64 hex digits' });
    }
    return path.join(this.#folder, digest.slice(0, 2), digest);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
