import type { Kysely, Selectable } from 'kysely';
import type { Database } from '../store/database.ts';
import type { DeploymentTables } from './schema.ts';

export type DeploymentRow = Selectable<DeploymentTables['deployments']>;
export type PlatformKeyRow = Selectable<DeploymentTables['platformKeys']>;
export type OsImageRow = Selectable<DeploymentTables['osImages']>;
export type OsReleaseRow = Selectable<DeploymentTables['osReleases']>;
type Db = Kysely<Database>;

/** The deployment in force in a group. */
export function selectNewestDeployment(db: Db, deviceGroupId: string): Promise<DeploymentRow | undefined> {
  return db
    .selectFrom('deployments')
    .selectAll()
    .where('deviceGroupId', '=', deviceGroupId)
    .orderBy('sequence', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Newest first; those before `before`, where given. */
export function selectDeployments(
  db: Db,
  deviceGroupId: string,
  before: number | undefined,
  limit: number,
): Promise<DeploymentRow[]> {
  let query = db
    .selectFrom('deployments')
    .selectAll()
    .where('deviceGroupId', '=', deviceGroupId)
    .orderBy('sequence', 'desc')
    .limit(limit);
  if (before !== undefined) query = query.where('sequence', '<', before);
  return query.execute();
}

export async function insertDeployment(db: Db, row: DeploymentRow): Promise<void> {
  await db.insertInto('deployments').values(row).execute();
}

export function selectPlatformKey(db: Db, thumbprint: string): Promise<PlatformKeyRow | undefined> {
  return db.selectFrom('platformKeys').selectAll().where('thumbprint', '=', thumbprint).executeTakeFirst();
}

export function selectPlatformKeys(db: Db): Promise<PlatformKeyRow[]> {
  return db.selectFrom('platformKeys').selectAll().orderBy('thumbprint').execute();
}

export async function insertPlatformKey(db: Db, row: PlatformKeyRow): Promise<void> {
  await db.insertInto('platformKeys').values(row).execute();
}

export function selectOsImage(db: Db, imageId: string): Promise<OsImageRow | undefined> {
  return db.selectFrom('osImages').selectAll().where('imageId', '=', imageId).executeTakeFirst();
}

export function selectOsImageByDigest(db: Db, digest: string): Promise<OsImageRow | undefined> {
  return db.selectFrom('osImages').selectAll().where('digest', '=', digest).executeTakeFirst();
}

export async function insertOsImage(db: Db, row: OsImageRow): Promise<void> {
  await db.insertInto('osImages').values(row).execute();
}

export function selectOsRelease(db: Db, name: string): Promise<OsReleaseRow | undefined> {
  return db.selectFrom('osReleases').selectAll().where('name', '=', name).executeTakeFirst();
}

/** Newest first; those before `before`, where given. */
export function selectOsReleases(db: Db, before: number | undefined, limit: number): Promise<OsReleaseRow[]> {
  let query = db.selectFrom('osReleases').selectAll().orderBy('sequence', 'desc').limit(limit);
  if (before !== undefined) query = query.where('sequence', '<', before);
  return query.execute();
}

export async function selectHighestReleaseSequence(db: Db): Promise<number> {
  const row = await db
    .selectFrom('osReleases')
    .select('sequence')
    .orderBy('sequence', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.sequence ?? 0;
}

/** The newest release of these feeds for a SKU that is not revoked. */
export function selectReleaseInForce(
  db: Db,
  feeds: readonly string[],
  chipSku: number,
): Promise<OsReleaseRow | undefined> {
  return db
    .selectFrom('osReleases')
    .selectAll()
    .where('chipSku', '=', chipSku)
    .where('feed', 'in', feeds)
    .where('revokedAt', 'is', null)
    .orderBy('sequence', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** The oldest release of these feeds for a SKU that came after `sequence` and is not revoked. */
export function selectSuccessor(
  db: Db,
  feeds: readonly string[],
  chipSku: number,
  sequence: number,
): Promise<OsReleaseRow | undefined> {
  return db
    .selectFrom('osReleases')
    .selectAll()
    .where('sequence', '>', sequence)
    .where('chipSku', '=', chipSku)
    .where('feed', 'in', feeds)
    .where('revokedAt', 'is', null)
    .orderBy('sequence')
    .limit(1)
    .executeTakeFirst();
}

export async function insertOsRelease(
  db: Db,
  row: OsReleaseRow,
  images: readonly { readonly imageId: string; readonly digest: string }[],
): Promise<void> {
  await db.insertInto('osReleases').values(row).execute();
  for (const { imageId, digest } of images) {
    await db.insertInto('osReleaseImages').values({ release: row.name, imageId, digest }).execute();
  }
}

export async function updateRevocation(
  db: Db,
  name: string,
  revokedAt: number,
  reason: string,
): Promise<void> {
  await db
    .updateTable('osReleases')
    .set({ revokedAt, revokedReason: reason })
    .where('name', '=', name)
    .execute();
}

export function selectImagesOfRelease(db: Db, release: string): Promise<OsImageRow[]> {
  return db
    .selectFrom('osReleaseImages')
    .innerJoin('osImages', 'osImages.imageId', 'osReleaseImages.imageId')
    .selectAll('osImages')
    .where('osReleaseImages.release', '=', release)
    .execute();
}

/** The releases that hold an image with this digest. */
export function selectReleasesByDigest(db: Db, digest: string): Promise<OsReleaseRow[]> {
  return db
    .selectFrom('osReleaseImages')
    .innerJoin('osReleases', 'osReleases.name', 'osReleaseImages.release')
    .selectAll('osReleases')
    .where('osReleaseImages.digest', '=', digest)
    .orderBy('osReleases.sequence', 'desc')
    .execute();
}

/** Images of a type in any release for the chip SKU that is not revoked, each once. */
export function selectPublishedImages(db: Db, imageType: number, chipSku: number): Promise<OsImageRow[]> {
  return db
    .selectFrom('osImages')
    .innerJoin('osReleaseImages', 'osReleaseImages.imageId', 'osImages.imageId')
    .innerJoin('osReleases', 'osReleases.name', 'osReleaseImages.release')
    .selectAll('osImages')
    .distinct()
    .where('osImages.imageType', '=', imageType)
    .where('osImages.chipSku', '=', chipSku)
    .where('osReleases.revokedAt', 'is', null)
    .execute();
}
