import { randomUUID, type KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { PkiError } from './errors.ts';
import { checkKeyName, keyExists, keyNotFound, type KeyStore } from './key-store.ts';
import { generateKeyPair, signWithKey, type KeyCurve } from './keys.ts';
import { fromPem, toPem } from './pem.ts';
import { parsePkcs8 } from './private-key.ts';
import { makeSeal, openSeal, SEALED_KEY, type KeySeal, type SealOptions } from './sealed-key.ts';

const PLAIN_KEY = 'PRIVATE KEY';
const SEAL_FILE = '.seal';
const OWNER_ONLY = 0o600;
const MAX_KEY_FILE = 4096;

interface StoredKey {
  readonly privateKey: KeyObject;
  readonly curve: KeyCurve;
  readonly spki: Uint8Array;
}

/**
 * Keys as PKCS#8 PEM files of mode 0600 in one folder of mode 0700, sealed where there is a seal. Made by
 * `openFileKeyStore`.
 */
export class FileKeyStore implements KeyStore {
  readonly #folder: string;
  readonly #seal: KeySeal | null;
  readonly #loaded = new Map<string, StoredKey>();

  constructor(folder: string, seal: KeySeal | null) {
    this.#folder = folder;
    this.#seal = seal;
  }

  async make(name: string, curve: KeyCurve = 'P-256'): Promise<Uint8Array> {
    const path = this.#path(name);
    const { pkcs8 } = generateKeyPair(curve);
    const pem =
      this.#seal === null ? toPem(PLAIN_KEY, pkcs8) : toPem(SEALED_KEY, this.#seal.seal(name, pkcs8));
    if (!(await createDurably(this.#folder, path, Buffer.from(pem)))) throw keyExists(name);
    return this.#remember(name, pkcs8).spki.slice();
  }

  async public(name: string): Promise<Uint8Array | null> {
    return (await this.#load(name))?.spki.slice() ?? null;
  }

  async sign(name: string, message: Uint8Array): Promise<Uint8Array> {
    const key = this.#loaded.get(name) ?? (await this.#load(name));
    if (key === null) throw keyNotFound(name);
    return signWithKey(key.privateKey, key.curve, message);
  }

  async #load(name: string): Promise<StoredKey | null> {
    const known = this.#loaded.get(name);
    if (known !== undefined) return known;
    const pem = await readOwnerOnly(this.#path(name), name);
    return pem === null ? null : this.#remember(name, this.#open(pem.toString('latin1'), name));
  }

  /** The PKCS#8 in a file. A store with a seal reads no plain key: whoever can write here must not choose one. */
  #open(pem: string, name: string): Uint8Array {
    const [only, ...others] = fromPemOf(this.#seal === null ? PLAIN_KEY : SEALED_KEY, pem, name);
    if (only === undefined || others.length > 0) throw noKey(name);
    return this.#seal === null ? only : this.#seal.open(name, only);
  }

  #remember(name: string, pkcs8: Uint8Array): StoredKey {
    const { key: privateKey, curve, spki } = parsePkcs8(pkcs8, name);
    const key = { privateKey, curve, spki };
    this.#loaded.set(name, key);
    return key;
  }

  #path(name: string): string {
    return join(this.#folder, `${checkKeyName(name)}.pem`);
  }
}

/**
 * Opens the folder `folder` as a key store and makes it if it is not there yet. With `sealed`, keys are encrypted under
 * a passphrase or key file: `WrongPassphrase` when it is not the one of the first time, `KeyFileExposed` when there are
 * keys that were made without one.
 */
export async function openFileKeyStore(folder: string, sealed?: SealOptions): Promise<FileKeyStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return new FileKeyStore(folder, await sealOf(folder, sealed));
}

async function sealOf(folder: string, sealed: SealOptions | undefined): Promise<KeySeal | null> {
  const path = join(folder, SEAL_FILE);
  const kept = await readOwnerOnly(path, SEAL_FILE);
  if (sealed === undefined) {
    if (kept === null) return null;
    throw new PkiError('WrongPassphrase', 'the keys in this folder are sealed', {
      rule: 'a passphrase or key file has to be given',
    });
  }
  if (kept !== null) return openSeal(sealed, new Uint8Array(kept));
  if ((await readdir(folder)).some((name) => name.endsWith('.pem'))) {
    throw new PkiError('KeyFileExposed', 'there are keys in this folder that are not sealed', {
      rule: 'a passphrase or key file is given from the first start on',
    });
  }
  const made = await makeSeal(sealed);
  if (await createDurably(folder, path, made.kept)) return made.seal;
  return sealOf(folder, sealed);
}

function fromPemOf(label: string, pem: string, name: string): readonly Uint8Array[] {
  try {
    return fromPem(label, pem);
  } catch (cause) {
    throw noKey(name, cause);
  }
}

function noKey(name: string, cause?: unknown): PkiError {
  return new PkiError('BadKey', `the file of key "${name}" does not hold a private key`, {
    field: name,
    cause,
  });
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

/** Makes a file, whole or not at all; false where there is one already. It is durable when this resolves. */
async function createDurably(folder: string, path: string, bytes: Uint8Array): Promise<boolean> {
  const draft = join(folder, `.${randomUUID()}`);
  try {
    await writeDurably(draft, bytes);
    // A link, not a rename: it refuses to replace what somebody else has made meanwhile.
    await link(draft, path);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await unlink(draft).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
  }
  await syncFolder(folder);
  return true;
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
