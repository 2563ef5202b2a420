import type { Clock, Entropy } from '@sevenfold/formats';
import type { KeyStore } from '@sevenfold/pki';
import type { BlobStore } from './blobs/blob-store.ts';
import type { ServiceLog } from './http/log.ts';
import type { Store } from './store/store.ts';

/** What the verbs of the service stand on; each names the parts that it needs. */
export interface ServiceContext {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly keys: KeyStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly entropy: Entropy;
  readonly log: ServiceLog;
}
