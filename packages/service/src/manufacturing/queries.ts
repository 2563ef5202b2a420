import type { Kysely, Selectable } from 'kysely';

import type { Database } from '../store/database.ts';
import type { ManufacturingTables } from './schema.ts';

export type SiliconMakerRow = Selectable<ManufacturingTables['siliconMakers']>;
export type EndorsementRow = Selectable<ManufacturingTables['endorsements']>;
export type MakerRootRow = Selectable<ManufacturingTables['siliconRoots']>;

export async function selectMaker(
  db: Kysely<Database>,
  makerId: string,
): Promise<SiliconMakerRow | undefined> {
  return db.selectFrom('siliconMakers').selectAll().where('makerId', '=', makerId).executeTakeFirst();
}

export async function selectMakerByName(
  db: Kysely<Database>,
  name: string,
): Promise<SiliconMakerRow | undefined> {
  return db.selectFrom('siliconMakers').selectAll().where('name', '=', name).executeTakeFirst();
}

export async function selectMakers(db: Kysely<Database>): Promise<readonly SiliconMakerRow[]> {
  return db.selectFrom('siliconMakers').selectAll().orderBy('name').execute();
}

export async function insertMaker(db: Kysely<Database>, row: SiliconMakerRow): Promise<void> {
  await db.insertInto('siliconMakers').values(row).execute();
}

export async function selectEndorsement(
  db: Kysely<Database>,
  deviceId: string,
): Promise<EndorsementRow | undefined> {
  return db.selectFrom('endorsements').selectAll().where('deviceId', '=', deviceId).executeTakeFirst();
}

export async function insertEndorsement(db: Kysely<Database>, row: EndorsementRow): Promise<void> {
  await db.insertInto('endorsements').values(row).execute();
}

export async function selectEndorsementByName(
  db: Kysely<Database>,
  evidenceName: string,
): Promise<EndorsementRow | undefined> {
  return db
    .selectFrom('endorsements')
    .selectAll()
    .where('evidenceName', '=', evidenceName)
    .executeTakeFirst();
}

export async function selectRoot(
  db: Kysely<Database>,
  thumbprint: string,
): Promise<MakerRootRow | undefined> {
  return db.selectFrom('siliconRoots').selectAll().where('thumbprint', '=', thumbprint).executeTakeFirst();
}

export async function selectRoots(db: Kysely<Database>, makerId: string): Promise<readonly MakerRootRow[]> {
  return db
    .selectFrom('siliconRoots')
    .selectAll()
    .where('makerId', '=', makerId)
    .orderBy('thumbprint')
    .execute();
}

export async function insertRoot(db: Kysely<Database>, row: MakerRootRow): Promise<void> {
  await db.insertInto('siliconRoots').values(row).execute();
}
