import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ApiError,
  ROUTES,
  createClient,
  createHttpsTransport,
  createRequestSigner,
  type Client,
} from '@sevenfold/api';
import { ensureKey, openFileKeyStore, principalIdOf } from '@sevenfold/pki';
import { CliError } from './errors.ts';

/** Who this command line is at which service. The key itself stays in the profile's `keys` folder. */
export interface Profile {
  readonly serviceUrl: string;
  /** The only TLS root that is believed, PEM. */
  readonly tlsRootPem: string;
  readonly principalId: string;
  /** The tenant that commands mean when none is named; null: the only one there is. */
  readonly tenantId: string | null;
}

/** A client that has to be closed: its idle connections would keep the process alive. */
export interface Connection extends Disposable {
  readonly client: Client;
  readonly profile: Profile;
}

const KEY_NAME = 'principal';
const PROFILE_FILE = 'profile.json';

/** The installation's own folder: where `package.json` and `data/` are. */
export const installationFolder: string = fileURLToPath(new URL('../../..', import.meta.url));

/** `SEVENFOLD_PROFILE`, else the one `npm start` made in this installation, else one in the home folder. */
export function defaultProfileFolder(environment: NodeJS.ProcessEnv): string {
  const named = environment['SEVENFOLD_PROFILE'];
  if (named !== undefined && named !== '') return named;
  const local = join(installationFolder, 'data', 'cli');
  return existsSync(join(local, PROFILE_FILE)) ? local : join(homedir(), '.sevenfold');
}

function parseProfile(text: string, path: string): Profile {
  let untrusted: unknown;
  try {
    untrusted = JSON.parse(text);
  } catch (cause) {
    throw new CliError('BadProfile', `${path} is not JSON.`, { cause });
  }
  const field = (name: string): string => {
    const value: unknown = (untrusted as Record<string, unknown> | null)?.[name];
    if (typeof value === 'string' && value !== '') return value;
    throw new CliError('BadProfile', `${path} has no ${name}.`, { field: name, rule: 'a text' });
  };
  const tenantId: unknown = (untrusted as Record<string, unknown>)['tenantId'];
  return {
    serviceUrl: field('serviceUrl'),
    tlsRootPem: field('tlsRootPem'),
    principalId: field('principalId'),
    tenantId: typeof tenantId === 'string' ? tenantId : null,
  };
}

/** Reads the profile in `folder`, or null where there is none. */
export function readProfile(folder: string): Profile | null {
  const path = join(folder, PROFILE_FILE);
  return existsSync(path) ? parseProfile(readFileSync(path, 'utf8'), path) : null;
}

/** Keeps the profile; whole or not at all. */
export function writeProfile(folder: string, profile: Profile): void {
  const path = join(folder, PROFILE_FILE);
  const draft = `${path}.draft`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(draft, `${JSON.stringify(profile, null, 2)}\n`, { mode: 0o600, flush: true });
  chmodSync(draft, 0o600);
  renameSync(draft, path);
}

/** Where a profile is made, and at which service. */
export interface EnrolOptions {
  readonly folder: string;
  readonly serviceUrl: string;
  /** The only TLS root that is believed, PEM. */
  readonly tlsRootPem: string;
  /** Null: this key has enrolled before, and only the profile is missing. */
  readonly token: string | null;
  readonly name: string;
  readonly now?: () => number;
}

/**
 * Exchanges a one-time token for a principal whose key is made here and never leaves `folder`. A principal's id
 * follows from its key, so whoever was cut off before the answer was kept signs in with the key alone.
 */
export async function enrol(options: EnrolOptions): Promise<Profile> {
  const { serviceUrl, tlsRootPem, now } = options;
  const keys = await openFileKeyStore(join(options.folder, 'keys'));
  const spki = await ensureKey(keys, KEY_NAME);
  const principalId = principalIdOf(spki);
  const { transport, close } = createHttpsTransport({ tlsRootPem });
  const signer = createRequestSigner(principalId, (message) => keys.sign(KEY_NAME, message));
  const client = createClient({ baseUrl: serviceUrl, transport, signer, ...(now ? { now } : {}) });
  try {
    if (options.token === null) {
      await client.call(ROUTES.me);
    } else {
      const body = {
        token: options.token,
        name: options.name,
        publicKey: Buffer.from(spki).toString('base64'),
      };
      await client.call(ROUTES.enrol, { body });
    }
  } finally {
    close();
  }
  const profile = { serviceUrl, tlsRootPem, principalId, tenantId: null };
  writeProfile(options.folder, profile);
  return profile;
}

/** Opens a client that signs with the profile's key. `now`: ms since 1970; the machine's clock unless given. */
export async function connect(folder: string, now?: () => number): Promise<Connection> {
  const profile = readProfile(folder);
  if (!profile) throw new CliError('NotEnrolled', `There is no profile in ${folder}.`);
  const keys = await openFileKeyStore(join(folder, 'keys'));
  const { transport, close } = createHttpsTransport({ tlsRootPem: profile.tlsRootPem });
  const client = createClient({
    baseUrl: profile.serviceUrl,
    transport,
    signer: createRequestSigner(profile.principalId, (message) => keys.sign(KEY_NAME, message)),
    ...(now ? { now } : {}),
  });
  return { client, profile, [Symbol.dispose]: close };
}

/** Whether an error is the service's own answer with this code. */
export function isRefusal(error: unknown, code: string): boolean {
  return error instanceof ApiError && error.code === code;
}
