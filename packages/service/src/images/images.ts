import {
  decodeSymbolMap,
  parseBillOfMaterials,
  type BillOfMaterials,
  type SymbolMap,
} from '@sevenfold/formats';
import type { Kysely } from 'kysely';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import type { Store } from '../store/store.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import { toStoredImage, type StoredImage } from './image.ts';
import { hasDocument, selectImage, selectImages, setDocument, type DocumentColumn } from './queries.ts';

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
  return keepDocument(context, tenantId, imageId, 'symbolsDigest', untrustedSymbols);
}

/** Keeps the bill of materials (CycloneDX JSON, untrusted) of an image, as `uploadSymbols` does with symbols. */
export async function uploadMaterials(
  context: Pick<ServiceContext, 'store' | 'blobs'>,
  tenantId: string,
  imageId: string,
  untrustedBill: Uint8Array,
): Promise<StoredImage> {
  await getImage(context.store.read, tenantId, imageId);
  parseBillOfMaterials(untrustedBill, imageId);
  return keepDocument(context, tenantId, imageId, 'materialsDigest', untrustedBill);
}

/** The bill of materials of an image, as it came and as it was read. `NotFound` where none was uploaded. */
export async function getMaterials(
  context: Pick<ServiceContext, 'store' | 'blobs'>,
  tenantId: string,
  imageId: string,
): Promise<{ readonly document: Uint8Array; readonly digest: string; readonly bill: BillOfMaterials }> {
  const { materialsDigest: digest } = await getImage(context.store.read, tenantId, imageId);
  if (digest === null) {
    throw new ServiceError('NotFound', `No bill of materials was uploaded for the image "${imageId}".`, {
      field: 'imageId',
    });
  }
  const document = await context.blobs.read(digest);
  return { document, digest, bill: parseBillOfMaterials(document, imageId) };
}

async function keepDocument(
  { store, blobs }: Pick<ServiceContext, 'store' | 'blobs'>,
  tenantId: string,
  imageId: string,
  column: DocumentColumn,
  document: Uint8Array,
): Promise<StoredImage> {
  return inTurn(store, async () => {
    const { [column]: former } = await getImage(store.read, tenantId, imageId);
    const digest = await blobs.put(document);
    const image = await store.write(async (tx) => {
      await setDocument(tx, imageId, column, digest);
      return getImage(tx, tenantId, imageId);
    });
    // What was replaced would lie there for ever: a disk could be filled with it, megabytes a request.
    if (former !== null && !(await hasDocument(store.read, column, former))) await blobs.remove(former);
    return image;
  });
}

/** The last upload of a document to each store. */
const turns = new WeakMap<Store, Promise<unknown>>();

/** One upload of a document after the other: a blob that is let go of is not just being given to another image. */
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
