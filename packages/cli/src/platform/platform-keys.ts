import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  KEYSTORE_LIMITS,
  fromBase64Url,
  successionStatement,
  toBase64Url,
  type KeySuccession,
} from '@sevenfold/formats';
import { ensureKey, openFileKeyStore, sha256 } from '@sevenfold/pki';
import { CliError } from '../errors.ts';

/** Which keys sign system images, by their names in the platform's key store, and which keystore says so. */
export interface PlatformKeys {
  /** Version of the TrustedKeystore: grows with every change. */
  readonly version: number;
  /** Signs what is built from now on. */
  readonly signing: string;
  /** Whose images run: `signing`, and those that it replaced until they are retired. */
  readonly trusted: readonly string[];
  /** How each key that was replaced handed over to the next what devices had sealed to its authority. */
  readonly successions: readonly KeySuccession[];
}

/** What holds before the first rotation. */
export const FIRST_KEYS: PlatformKeys = {
  version: 1,
  signing: 'signing',
  trusted: ['signing'],
  successions: [],
};
const FILE = 'platform-keys.json';

const nameAfter = ({ version }: PlatformKeys): string => `signing-${version + 1}`;

/** A new key signs from now on; images of the others go on running. The oldest successions go when there are too many. */
export function rotateKey(keys: PlatformKeys, succession: KeySuccession): PlatformKeys {
  const signing = nameAfter(keys);
  return {
    version: keys.version + 1,
    signing,
    trusted: [...keys.trusted, signing],
    successions: [...keys.successions, succession].slice(-KEYSTORE_LIMITS.maxSuccessions),
  };
}

/** Makes the new key in the platform's folder, has the former one hand over to it, and keeps both facts. */
export async function rotateKeyIn(folder: string): Promise<PlatformKeys> {
  const store = await openFileKeyStore(join(folder, 'keys'));
  const keys = readPlatformKeys(folder);
  const from = await ensureKey(store, keys.signing);
  const to = sha256(await ensureKey(store, nameAfter(keys)));
  const signature = await store.sign(keys.signing, successionStatement(to));
  const rotated = rotateKey(keys, { from, to, signature });
  writePlatformKeys(folder, rotated);
  return rotated;
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
  const [version, signing, trusted, successions] = [
    field('version'),
    field('signing'),
    field('trusted'),
    field('successions'),
  ];
  if (
    typeof version !== 'number' ||
    typeof signing !== 'string' ||
    !Array.isArray(trusted) ||
    !Array.isArray(successions)
  ) {
    throw new CliError('FileError', `${path} is damaged.`, {
      rule: 'version, signing, trusted and successions',
    });
  }
  return { version, signing, trusted: trusted.map(String), successions: successions.map(readSuccession) };
}

const bytesIn = (document: unknown, name: string): Uint8Array =>
  fromBase64Url(String(typeof document === 'object' && document !== null && Reflect.get(document, name)));

function readSuccession(document: unknown): KeySuccession {
  return {
    from: bytesIn(document, 'from'),
    to: bytesIn(document, 'to'),
    signature: bytesIn(document, 'signature'),
  };
}

/** Keeps it, in one piece. */
export function writePlatformKeys(folder: string, keys: PlatformKeys): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, FILE);
  const successions = keys.successions.map(({ from, to, signature }) => ({
    from: toBase64Url(from),
    to: toBase64Url(to),
    signature: toBase64Url(signature),
  }));
  const document = `${JSON.stringify({ ...keys, successions }, null, 2)}\n`;
  writeFileSync(`${path}.new`, document, { mode: 0o600, flush: true });
  renameSync(`${path}.new`, path);
}
