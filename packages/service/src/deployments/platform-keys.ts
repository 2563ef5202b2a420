import { toHex } from '@sevenfold/formats';
import { checkP256Spki, thumbprint } from '@sevenfold/pki';
import type { Kysely } from 'kysely';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { insertPlatformKey, selectPlatformKey, selectPlatformKeys, type PlatformKeyRow } from './queries.ts';

/** A key whose signature makes a system image. */
export type PlatformKey = PlatformKeyRow;

/** Accepts a platform key (SPKI, DER, untrusted); one that is accepted already is answered as it is. `InvalidPublicKey`. */
export async function registerPlatformKey(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  untrustedSpki: Uint8Array,
): Promise<PlatformKey> {
  const spki = parseSpki(untrustedSpki);
  const name = toHex(thumbprint(spki));
  return context.store.write(async (tx) => {
    const known = await selectPlatformKey(tx, name);
    if (known !== undefined) return known;
    const row = { thumbprint: name, spki, createdAt: context.clock.now() };
    await insertPlatformKey(tx, row);
    return row;
  });
}

/** The platform key with this thumbprint (20 bytes), null where none was accepted. */
export async function findPlatformKey(
  db: Kysely<Database>,
  keyThumbprint: Uint8Array,
): Promise<PlatformKey | null> {
  return (await selectPlatformKey(db, toHex(keyThumbprint))) ?? null;
}

export async function listPlatformKeys({
  store,
}: Pick<ServiceContext, 'store'>): Promise<readonly PlatformKey[]> {
  return selectPlatformKeys(store.read);
}

function parseSpki(untrustedSpki: Uint8Array): Uint8Array {
  try {
    return checkP256Spki(untrustedSpki, 'spki');
  } catch (cause) {
    throw new ServiceError('InvalidPublicKey', 'This is not an ECDSA P-256 key in SPKI form.', {
      field: 'spki',
      rule: 'DER SubjectPublicKeyInfo of a P-256 key, in base64',
      cause,
    });
  }
}
