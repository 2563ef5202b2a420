import { decodeSymbolMap, type SymbolMap } from '@sevenfold/formats';
import type { Kysely } from 'kysely';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import type { Store } from '../store/store.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import { toStoredImage, type StoredImage } from './image.ts';
import { hasSymbols, selectImage, selectImages, setSymbols } from './queries.ts';

/** The image of that id, whose ever it is; null where there is none. Inside of a work, `db` is its transaction. */
export async function findImage(db: Kysely<Database>, imageId: string): Promise<StoredImage | null> {
  const row = await selectImage(db, imageId);
  return row === undefined ? null : toStoredImage(row);
}

/** The tenant's image; `NotFound` for that of another. */
export async function getImage(
  db: Kysely<Database>,
  tenantId: string,
  imageId: string,
): Promise<StoredImage> {
  const image = await findImage(db, imageId);
  if (image === null || image.tenantId !== tenantId) throw imageNotFound(imageId);
  return image;
}

/** Images of a tenant, by id. */
export async function listImages(
  { store }: Pick<ServiceContext, 'store'>,
  tenantId: string,
  page: { readonly limit?: number | undefined; readonly after?: string | undefined },
): Promise<{ items: StoredImage[]; next: string | null }> {
  const rows = await selectImages(store.read, tenantId, page.after, rowsToFetch(page));
  return toPage(rows, page, (row) => row.imageId, toStoredImage);
}

/** Keeps the symbol map (CBOR, untrusted) of an image; a later one takes its place. `NotFound`, errors of the decoder. */
export async function uploadSymbols(
  context: Pick<ServiceContext, 'store' | 'blobs'>,
  tenantId: string,
  imageId: string,
  untrustedSymbols: Uint8Array,
): Promise<StoredImage> {
  await getImage(context.store.read, tenantId, imageId);
  decodeSymbolMap(untrustedSymbols);
  return inTurn(context.store, async () => {
    const { store, blobs } = context;
    const { symbolsDigest: former } = await getImage(store.read, tenantId, imageId);
    const digest = await blobs.put(untrustedSymbols);
    const image = await store.write(async (tx) => {
      await setSymbols(tx, imageId, digest);
      return getImage(tx, tenantId, imageId);
    });
    // What was replaced would lie there for ever: a disk could be filled with it, 8 MiB a request.
    if (former !== null && !(await hasSymbols(store.read, former))) await blobs.remove(former);
    return image;
  });
}

/** The last upload of symbols to each store. */
const turns = new WeakMap<Store, Promise<unknown>>();

/** One upload of symbols after the other: a blob that is let go of is not just being given to another image. */
function inTurn<T>(store: Store, work: () => Promise<T>): Promise<T> {
  const turn = (turns.get(store) ?? Promise.resolve()).then(work);
  turns.set(
    store,
    turn.catch(() => {}),
  );
  return turn;
}

/** What failures need of an image: its symbols, and when it came. Both null where the tenant has no such image. */
export function reportedImages(context: Pick<ServiceContext, 'store' | 'blobs'>): {
  findSymbols(tenantId: string | null, imageId: string): Promise<SymbolMap | null>;
  findUploadTime(tenantId: string | null, imageId: string): Promise<number | null>;
} {
  const findOwn = async (tenantId: string | null, imageId: string): Promise<StoredImage | null> => {
    const image = await findImage(context.store.read, imageId);
    return image !== null && image.tenantId === tenantId ? image : null;
  };
  return {
    async findSymbols(tenantId, imageId) {
      const image = await findOwn(tenantId, imageId);
      if (image === null || image.symbolsDigest === null) return null;
      try {
        return decodeSymbolMap(await context.blobs.read(image.symbolsDigest));
      } catch (error) {
        // Replaced since the row was read: this failure is told without symbols rather than not at all.
        if (error instanceof ServiceError && error.code === 'NotFound') return null;
        throw error;
      }
    },
    findUploadTime: async (tenantId, imageId) => (await findOwn(tenantId, imageId))?.uploadedAt ?? null,
  };
}

function imageNotFound(imageId: string): ServiceError {
  return new ServiceError('NotFound', `There is no image "${imageId}".`, { field: 'imageId' });
}
