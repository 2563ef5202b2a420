import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';

/** Files after which the oldest go. */
const MOST_FILES = 1000;

/** Hash of everything that a result depends on, in hexadecimal; part boundaries count. */
export function contentKey(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex');
}

/**
 * Results by the hash of what went into them, in a folder. Losing it costs time and nothing else: what cannot be read
 * is made anew, what cannot be written is not kept.
 */
export class ResultCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The result for `key`, made by `make` where it is not known. */
  async get<T>(key: string, make: () => Promise<T>): Promise<T> {
    const path = join(this.#folder, key);
    try {
      return deserialize(await readFile(path)) as T;
    } catch {
      // Not known, or not readable: made now.
    }
    const made = await make();
    const draft = join(this.#folder, `${randomUUID()}.draft`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      // As a whole or not at all: two builds may run at once.
      await writeFile(draft, serialize(made));
      await rename(draft, path);
    } catch {
      await rm(draft, { force: true }).catch(() => undefined);
    }
    return made;
  }

  /** Takes the oldest results away when there are too many. */
  async prune(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    if (names.length <= MOST_FILES) return;
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#folder, name);
        return { path, time: (await stat(path).catch(() => null))?.mtimeMs ?? 0 };
      }),
    );
    const oldest = files.sort((a, b) => a.time - b.time).slice(0, names.length - MOST_FILES / 2);
    await Promise.all(oldest.map(({ path }) => rm(path, { force: true })));
  }
}
