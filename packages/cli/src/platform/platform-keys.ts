import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from '../errors.ts';

/** Which keys sign system images, by their names in the platform's key store, and which keystore says so. */
export interface PlatformKeys {
  /** Version of the TrustedKeystore: grows with every change. */
  readonly version: number;
  /** Signs what is built from now on. */
  readonly signing: string;
  /** Whose images run: `signing`, and those that it replaced until they are retired. */
  readonly trusted: readonly string[];
}

/** What holds before the first rotation. */
export const FIRST_KEYS: PlatformKeys = { version: 1, signing: 'signing', trusted: ['signing'] };
const FILE = 'platform-keys.json';

/** A new key signs from now on; images of the others go on running. */
export function rotateKey({ version, trusted }: PlatformKeys): PlatformKeys {
  const signing = `signing-${version + 1}`;
  return { version: version + 1, signing, trusted: [...trusted, signing] };
}

/** Images of this key run no more. `NotFound`; `BadValue` for the key that signs. */
export function retireKey(keys: PlatformKeys, name: string): PlatformKeys {
  if (!keys.trusted.includes(name)) {
    throw new CliError('NotFound', `There is no platform key ${name}: ${keys.trusted.join(', ')}.`);
  }
  if (name === keys.signing) {
    throw new CliError('BadValue', `${name} is the key that signs: rotate first.`, {
      rule: 'a key that was replaced',
    });
  }
  return { ...keys, version: keys.version + 1, trusted: keys.trusted.filter((other) => other !== name) };
}

/** Reads the platform's folder; what was never rotated has its first key. */
export function readPlatformKeys(folder: string): PlatformKeys {
  const path = join(folder, FILE);
  if (!existsSync(path)) return FIRST_KEYS;
  const document: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const field = (name: string): unknown =>
    typeof document === 'object' && document !== null ? Reflect.get(document, name) : undefined;
  const [version, signing, trusted] = [field('version'), field('signing'), field('trusted')];
  if (typeof version !== 'number' || typeof signing !== 'string' || !Array.isArray(trusted)) {
    throw new CliError('FileError', `${path} is damaged.`, { rule: 'version, signing and trusted' });
  }
  return { version, signing, trusted: trusted.map(String) };
}

/** Keeps it, in one piece. */
export function writePlatformKeys(folder: string, keys: PlatformKeys): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, FILE);
  writeFileSync(`${path}.new`, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
}
