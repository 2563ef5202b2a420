import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openFileKeyStore, openPkcs11KeyStore, type KeyStore } from '@sevenfold/pki';
import { textFlag } from './context.ts';
import { CliError } from './errors.ts';

/** Where the keys of a service or of a root live. */
export interface KeyStoreFlags {
  readonly keyFile?: string;
  readonly pkcs11Library?: string;
  readonly pkcs11Token?: string;
  readonly pkcs11PinFile?: string;
}

/** Declares them. Without any, keys are files that only their owner can read. */
export const keyStoreFlags = {
  keyFile: {
    ...textFlag('File under which key files are encrypted (else: $SEVENFOLD_PASSPHRASE, if set)', 'FILE'),
    optional: true,
  },
  pkcs11Library: { ...textFlag('PKCS#11 library, for keys in a token', 'FILE'), optional: true },
  pkcs11Token: { ...textFlag('Label of the token', 'LABEL'), optional: true },
  pkcs11PinFile: { ...textFlag('File that holds the user PIN', 'FILE'), optional: true },
} as const;

/** A key store and how to let go of it. */
interface OpenKeyStore {
  readonly keys: KeyStore;
  readonly close: () => Promise<void>;
}

/** Opens the key store of the flags; files are in `folder`. The caller closes it: a token is a process of its own. */
export async function openKeyStore(
  flags: KeyStoreFlags,
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<OpenKeyStore> {
  const { keyFile, pkcs11Library: library, pkcs11Token: label, pkcs11PinFile } = flags;
  if (library !== undefined || label !== undefined || pkcs11PinFile !== undefined) {
    if (library === undefined || label === undefined || pkcs11PinFile === undefined)
      throw new CliError(
        'FileError',
        'A token needs --pkcs11-library, --pkcs11-token and --pkcs11-pin-file.',
      );
    const store = await openPkcs11KeyStore({ library, label, pin: await readPin(pkcs11PinFile) });
    return { keys: store, close: () => store.close() };
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const passphrase = environment['SEVENFOLD_PASSPHRASE'];
  const path = join(folder, 'keys');
  if (keyFile !== undefined) {
    await requireReadable(keyFile);
    return open(await openFileKeyStore(path, { secret: { kind: 'key-file', path: resolve(keyFile) } }));
  }
  if (passphrase !== undefined && passphrase !== '')
    return open(await openFileKeyStore(path, { secret: { kind: 'passphrase', passphrase } }));
  return open(await openFileKeyStore(path));
}

function open(keys: KeyStore): OpenKeyStore {
  return { keys, close: () => Promise.resolve() };
}

async function readPin(path: string): Promise<string> {
  await requireReadable(path);
  return (await readFile(path, 'utf8')).trimEnd();
}

async function requireReadable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
  } catch (cause) {
    throw new CliError('FileError', `Cannot read ${path}.`, { cause });
  }
}
