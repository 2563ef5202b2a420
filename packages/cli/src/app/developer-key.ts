import { join } from 'node:path';
import { ensureKey, openFileKeyStore, thumbprint } from '@sevenfold/pki';
import { defaultProfileFolder } from '../profile.ts';

/** A key that signs what a developer builds; the service signs again when an image is uploaded. */
export interface DeveloperKey {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** SHA-1 of it. */
  readonly thumbprint: Uint8Array;
  /** r‖s (64 bytes) over SHA-256 of `message`. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** The developer's key of the profile's folder; made where there is none. */
export async function developerKey(environment: NodeJS.ProcessEnv): Promise<DeveloperKey> {
  const keys = await openFileKeyStore(join(defaultProfileFolder(environment), 'development'));
  const spki = await ensureKey(keys, 'development');
  return { spki, thumbprint: thumbprint(spki), sign: (message) => keys.sign('development', message) };
}
