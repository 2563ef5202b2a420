import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  type KeyObject,
} from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { PkiError } from './errors.ts';
import type { KeyStore } from './key-store.ts';
import { signWithKey } from './keys.ts';

const KEY_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?$/u;
const OWNER_ONLY = 0o600;
const MAX_KEY_FILE = 4096;

interface StoredKey {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
}

/** Keys as PKCS#8 PEM files of mode 0600 in one folder of mode 0700. Made by `openFileKeyStore`. */
export class FileKeyStore implements KeyStore {
  readonly #folder: string;
  readonly #loaded = new Map<string, StoredKey>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async make(name: string): Promise<Uint8Array> {
    const path = this.#path(name);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const draft = join(this.#folder, `.${name}.${randomUUID()}`);
    try {
      await writeDurably(draft, Buffer.from(pem));
      // A link, not a rename: it refuses to replace a key that somebody else has made meanwhile.
      await link(draft, path);
    } catch (error) {
      if (hasCode(error, 'EEXIST'))
        throw new PkiError('KeyExists', `there is a key "${name}" already`, { field: name });
      throw error;
    } finally {
      await unlink(draft).catch((error: unknown) => {
        if (!hasCode(error, 'ENOENT')) throw error;
      });
    }
    await syncFolder(this.#folder);
    return this.#remember(name, privateKey).spki.slice();
  }

  async public(name: string): Promise<Uint8Array | null> {
    return (await this.#load(name))?.spki.slice() ?? null;
  }

  async sign(name: string, message: Uint8Array): Promise<Uint8Array> {
    const key = await this.#load(name);
    if (key === null) throw new PkiError('KeyNotFound', `there is no key "${name}"`, { field: name });
    return signWithKey(key.privateKey, message);
  }

  async #load(name: string): Promise<StoredKey | null> {
    const known = this.#loaded.get(name);
    if (known !== undefined) return known;
    const pem = await readOwnerOnly(this.#path(name), name);
    return pem === null ? null : this.#remember(name, parsePrivateKey(pem, name));
  }

  #remember(name: string, privateKey: KeyObject): StoredKey {
    const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    const key = { privateKey, spki: new Uint8Array(spki) };
    this.#loaded.set(name, key);
    return key;
  }

  #path(name: string): string {
    if (!KEY_NAME.test(name)) {
      throw new PkiError('BadKeyName', `"${name.slice(0, 100)}" cannot name a key`, {
        field: 'name',
        rule: 'lower-case letters, digits, dots and hyphens, at most 100',
      });
    }
    return join(this.#folder, `${name}.pem`);
  }
}

/** Opens the folder `folder` as a key store and makes it if it is not there yet. */
export async function openFileKeyStore(folder: string): Promise<FileKeyStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return new FileKeyStore(folder);
}

function parsePrivateKey(pem: Buffer, name: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem' });
  } catch (cause) {
    throw new PkiError('BadKey', `the file of key "${name}" does not hold a private key`, {
      field: name,
      cause,
    });
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new PkiError('BadKey', `the file of key "${name}" does not hold an ECDSA P-256 key`, {
      field: name,
    });
  }
  return key;
}

async function readOwnerOnly(path: string, name: string): Promise<Buffer | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      throw new PkiError('KeyFileExposed', `the file of key "${name}" can be read by others than its owner`, {
        field: name,
        rule: `mode 0600, but it is 0${(mode & 0o777).toString(8)}`,
      });
    }
    if (size > MAX_KEY_FILE)
      throw new PkiError('BadKey', `the file of key "${name}" is too large`, { field: name });
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', OWNER_ONLY);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A new name is durable only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
