import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** What the service or the device acknowledged, and what must therefore be there after any crash. */
export interface Acknowledged {
  readonly kind: 'tenant' | 'device' | 'image' | 'release' | 'deployment' | 'errorGroup';
  readonly id: string;
  /** Its tenant; of a deployment, `tenant/device group`; absent where it is the whole service's. */
  readonly within?: string;
}

const KINDS: ReadonlySet<string> = new Set([
  'tenant',
  'device',
  'image',
  'release',
  'deployment',
  'errorGroup',
]);

function parseEntry(untrusted: string): Acknowledged | null {
  try {
    const value: unknown = JSON.parse(untrusted);
    if (typeof value !== 'object' || value === null || !('kind' in value) || !('id' in value)) return null;
    const { kind, id } = value;
    if (typeof kind !== 'string' || !KINDS.has(kind) || typeof id !== 'string') return null;
    const within = 'within' in value && typeof value.within === 'string' ? { within: value.within } : {};
    return { kind: kind as Acknowledged['kind'], id, ...within };
  } catch {
    // The last line may be torn by a power cut: what it would have said was not acknowledged yet.
    return null;
  }
}

/** A list on disk of everything that was acknowledged to the story, one JSON line each, synced. */
export class Journal {
  readonly #path: string;
  readonly #entries = new Map<string, Acknowledged>();

  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (!existsSync(path)) return;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const entry = line === '' ? null : parseEntry(line);
      if (entry) this.#entries.set(Journal.#key(entry), entry);
    }
  }

  static #key(entry: Acknowledged): string {
    return `${entry.kind} ${entry.within ?? ''} ${entry.id}`;
  }

  /** Everything acknowledged so far, oldest first. */
  entries(): readonly Acknowledged[] {
    return [...this.#entries.values()];
  }

  /** Remembers `entry`; durable when this returns. */
  acknowledge(entry: Acknowledged): void {
    const key = Journal.#key(entry);
    if (this.#entries.has(key)) return;
    this.#entries.set(key, entry);
    const file = openSync(this.#path, 'a', 0o600);
    try {
      // A newline first: a torn last line must not swallow this one.
      writeSync(file, `\n${JSON.stringify(entry)}`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}
