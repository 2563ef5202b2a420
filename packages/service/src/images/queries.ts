import type { Kysely, Selectable } from 'kysely';
import type { Database } from '../store/database.ts';
import type { ImageTables } from './schema.ts';

export type ImageRow = Selectable<ImageTables['images']>;
type Db = Kysely<Database>;

export function selectImage(db: Db, imageId: string): Promise<ImageRow | undefined> {
  return db.selectFrom('images').selectAll().where('imageId', '=', imageId).executeTakeFirst();
}

export function selectImages(
  db: Db,
  tenantId: string,
  after: string | undefined,
  limit: number,
): Promise<ImageRow[]> {
  let query = db
    .selectFrom('images')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .orderBy('imageId')
    .limit(limit);
  if (after !== undefined) query = query.where('imageId', '>', after);
  return query.execute();
}

export async function countImages(db: Db, tenantId: string): Promise<number> {
  const { count } = await db
    .selectFrom('images')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('tenantId', '=', tenantId)
    .executeTakeFirstOrThrow();
  return count;
}

/** A document that an image may have beside its package, by the column that holds its digest. */
export type DocumentColumn = 'symbolsDigest' | 'materialsDigest';

/** Whether any image has this document. */
export async function hasDocument(db: Db, column: DocumentColumn, digest: string): Promise<boolean> {
  const row = await db.selectFrom('images').select('imageId').where(column, '=', digest).executeTakeFirst();
  return row !== undefined;
}

export async function insertImage(db: Db, row: ImageRow): Promise<void> {
  await db.insertInto('images').values(row).execute();
}

export async function setDocument(
  db: Db,
  imageId: string,
  column: DocumentColumn,
  digest: string,
): Promise<void> {
  await db
    .updateTable('images')
    .set({ [column]: digest })
    .where('imageId', '=', imageId)
    .execute();
}
