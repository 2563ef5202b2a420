import type { Clock, Entropy } from '@sevenfold/formats';
import { openFileKeyStore, type Certificate, type KeyCurve, type KeyStore } from '@sevenfold/pki';

import { openDataFolder } from '../data-folder.ts';
import { SYSTEM_CLOCK, SYSTEM_ENTROPY } from '../real-world.ts';
import { migrate } from '../store/migrate.ts';
import { SCHEMAS } from '../store/schemas.ts';
import { openSqliteStore } from '../store/sqlite-store.ts';
import { CertificateAuthorities, type CertificatesContext } from './authorities.ts';
import { importAnswer, requestIntermediate } from './offline-root.ts';

/** The authorities of a service that is not running. */
export interface PkiFolderOptions {
  readonly dataDir: string;
  /** Unless given: files in `keys` of the data folder, as the service keeps them. */
  readonly keys?: KeyStore;
  readonly clock?: Pick<Clock, 'now'>;
  readonly entropy?: Entropy;
}

/** Makes root and intermediate here, before the first start, on that curve. Resolves with the root's certificate. */
export function initPki(options: PkiFolderOptions, curve: KeyCurve): Promise<Certificate> {
  return withAuthorities(options, async ({ authorities }) => {
    await authorities.makeRoot(curve);
    return (await authorities.issuing('root', null)).certificate;
  });
}

/** Makes the request (PKCS#10, DER) for an intermediate under a root that lives elsewhere; see `requestIntermediate`. */
export function requestFromOfflineRoot(options: PkiFolderOptions, curve: KeyCurve): Promise<Uint8Array> {
  return withAuthorities(options, (context) => requestIntermediate(context, curve));
}

/** Takes that root's answer; see `importAnswer`. */
export function importFromOfflineRoot(
  options: PkiFolderOptions,
  answer: readonly Certificate[],
  compromised: boolean,
): Promise<Certificate> {
  return withAuthorities(options, (context) => importAnswer(context, answer, compromised));
}

/** Locks the folder for as long as `work` takes: `DataFolderInUse` while the service runs on it. */
async function withAuthorities<T>(
  options: PkiFolderOptions,
  work: (context: CertificatesContext & { readonly authorities: CertificateAuthorities }) => Promise<T>,
): Promise<T> {
  await using parts = new AsyncDisposableStack();
  const clock = options.clock ?? SYSTEM_CLOCK;
  const folder = openDataFolder(options.dataDir);
  parts.defer(() => folder.close());
  const store = openSqliteStore(folder.pathOf('service.sqlite'));
  parts.defer(() => store.close());
  await migrate(store, SCHEMAS, clock.now());
  const keys = options.keys ?? (await openFileKeyStore(folder.pathOf('keys')));
  const context = { store, keys, clock, entropy: options.entropy ?? SYSTEM_ENTROPY };
  return await work({ ...context, authorities: new CertificateAuthorities(context) });
}
