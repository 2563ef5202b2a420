import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { concatBytes, utf8Encode } from '@sevenfold/formats';

import { PkiError } from './errors.ts';

/** The PEM label of a sealed key. */
export const SEALED_KEY = 'SEVENFOLD SEALED KEY';

/** What a seal is made from. */
export type SealSecret =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  /** A file of 32 bytes or more that only its owner can read; its bytes are the passphrase. */
  | { readonly kind: 'key-file'; readonly path: string };

/** Seals keys under one secret. A sealed key: nonce (12 bytes) ‖ tag (16) ‖ ciphertext. */
export interface KeySeal {
  seal(name: string, pkcs8: Uint8Array): Uint8Array;
  /** Refuses with `WrongPassphrase` what was sealed under another secret, for another name, or changed since. */
  open(name: string, untrusted: Uint8Array): Uint8Array;
}

const SALT_LENGTH = 16;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const KEY_LENGTH = 32;
const LEAST_PASSPHRASE = 12;
const KEY_FILE_BYTES = { least: 32, most: 4096 } as const;
/** No key can have this name. */
const CHECK_NAME = '.seal';
const CHECK = new Uint8Array(32);
/** RFC 7914 §2: 128 MiB and a few tenths of a second, once for each start. */
const SCRYPT = { N: 131_072, r: 8, p: 1, maxmem: 160 * 1024 * 1024 } as const;

/** How a secret is opened; tests alone lower the cost. */
export interface SealOptions {
  readonly secret: SealSecret;
  /** scrypt's N. */
  readonly cost?: number;
}

/** A new seal and what has to be kept to open it again: salt (16) ‖ a sealed constant. */
export async function makeSeal(options: SealOptions): Promise<{ seal: KeySeal; kept: Uint8Array }> {
  const salt = randomBytes(SALT_LENGTH);
  const seal = await sealFrom(options, salt);
  return { seal, kept: concatBytes(salt, seal.seal(CHECK_NAME, CHECK)) };
}

/** Opens a seal again. Refuses another secret with `WrongPassphrase`. */
export async function openSeal(options: SealOptions, kept: Uint8Array): Promise<KeySeal> {
  const seal = await sealFrom(options, kept.subarray(0, SALT_LENGTH));
  seal.open(CHECK_NAME, kept.subarray(SALT_LENGTH));
  return seal;
}

async function sealFrom({ secret, cost = SCRYPT.N }: SealOptions, salt: Uint8Array): Promise<KeySeal> {
  const passphrase =
    secret.kind === 'passphrase' ? readPassphrase(secret.passphrase) : await readKeyFile(secret.path);
  const key = await stretch(passphrase, salt, cost);
  return {
    seal(name, pkcs8) {
      const nonce = randomBytes(NONCE_LENGTH);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      // Bound to its name: a file that was put in another's place does not open.
      cipher.setAAD(utf8Encode(name));
      const sealed = Buffer.concat([cipher.update(pkcs8), cipher.final()]);
      return concatBytes(nonce, cipher.getAuthTag(), sealed);
    },
    open(name, untrusted) {
      const nonce = untrusted.subarray(0, NONCE_LENGTH);
      const tag = untrusted.subarray(NONCE_LENGTH, NONCE_LENGTH + TAG_LENGTH);
      if (tag.length !== TAG_LENGTH) throw wrongPassphrase(name);
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_LENGTH });
      decipher.setAAD(utf8Encode(name));
      decipher.setAuthTag(tag);
      try {
        const plain = decipher.update(untrusted.subarray(NONCE_LENGTH + TAG_LENGTH));
        return new Uint8Array(Buffer.concat([plain, decipher.final()]));
      } catch (cause) {
        throw wrongPassphrase(name, cause);
      }
    },
  };
}

function readPassphrase(passphrase: string): Uint8Array {
  if (passphrase.length < LEAST_PASSPHRASE) {
    throw new PkiError('WrongPassphrase', 'the passphrase is too short', {
      field: 'passphrase',
      rule: `at least ${LEAST_PASSPHRASE} characters`,
    });
  }
  return utf8Encode(passphrase.normalize('NFC'));
}

async function readKeyFile(path: string): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY);
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      throw new PkiError('KeyFileExposed', 'the key file can be read by others than its owner', {
        field: 'keyFile',
        rule: `mode 0600, but it is 0${(mode & 0o777).toString(8)}`,
      });
    }
    if (size < KEY_FILE_BYTES.least || size > KEY_FILE_BYTES.most) {
      throw new PkiError('WrongPassphrase', 'the key file has a wrong size', {
        field: 'keyFile',
        rule: `${KEY_FILE_BYTES.least} … ${KEY_FILE_BYTES.most} bytes`,
      });
    }
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

function stretch(passphrase: Uint8Array, salt: Uint8Array, cost: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, KEY_LENGTH, { ...SCRYPT, N: cost }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}

function wrongPassphrase(name: string, cause?: unknown): PkiError {
  return new PkiError('WrongPassphrase', `"${name}" does not open with this passphrase or key file`, {
    field: name,
    cause,
  });
}
