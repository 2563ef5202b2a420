import { sql, type Kysely, type Selectable } from 'kysely';

import type { Database } from '../store/database.ts';
import type { ErrorTables } from './schema.ts';

export type ErrorGroupRow = Selectable<ErrorTables['errorGroups']>;
export type ErrorGroupImageRow = Selectable<ErrorTables['errorGroupImages']>;

/** Keeps the report's id; false where that device's report is here already. */
export async function insertReport(
  db: Kysely<Database>,
  row: Selectable<ErrorTables['errorReports']>,
): Promise<boolean> {
  const inserted = await db
    .insertInto('errorReports')
    .values(row)
    .onConflict((conflict) => conflict.columns(['deviceId', 'reportId']).doNothing())
    .executeTakeFirst();
  return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function selectGroup(db: Kysely<Database>, groupId: string): Promise<ErrorGroupRow | undefined> {
  return db.selectFrom('errorGroups').selectAll().where('groupId', '=', groupId).executeTakeFirst();
}

/** Groups of a tenant, last seen first. */
export async function selectGroupsOfTenant(
  db: Kysely<Database>,
  tenantId: string,
  most: number,
  after: Pick<ErrorGroupRow, 'lastSeen' | 'groupId'> | null,
): Promise<readonly ErrorGroupRow[]> {
  let groups = db.selectFrom('errorGroups').selectAll().where('tenantId', '=', tenantId);
  if (after !== null) {
    groups = groups.where((where) =>
      where.or([
        where('lastSeen', '<', after.lastSeen),
        where.and([where('lastSeen', '=', after.lastSeen), where('groupId', '>', after.groupId)]),
      ]),
    );
  }
  return groups.orderBy('lastSeen', 'desc').orderBy('groupId').limit(most).execute();
}

export async function insertGroup(db: Kysely<Database>, row: ErrorGroupRow): Promise<void> {
  await db.insertInto('errorGroups').values(row).execute();
}

export async function updateGroup(
  db: Kysely<Database>,
  groupId: string,
  change: Partial<Omit<ErrorGroupRow, 'groupId'>>,
): Promise<void> {
  await db.updateTable('errorGroups').set(change).where('groupId', '=', groupId).execute();
}

/** Counts the device as one of the group's; false where it was counted before. */
export async function insertGroupDevice(
  db: Kysely<Database>,
  groupId: string,
  deviceId: string,
): Promise<boolean> {
  const inserted = await db
    .insertInto('errorGroupDevices')
    .values({ groupId, deviceId })
    .onConflict((conflict) => conflict.columns(['groupId', 'deviceId']).doNothing())
    .executeTakeFirst();
  return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Adds `count` failures of an image, seen now; an image that would be more than the group's `most` is left out. */
export async function addGroupImage(
  db: Kysely<Database>,
  groupId: string,
  imageId: string,
  count: number,
  now: number,
  most: number,
): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('errorGroupImages')
    .set({ count: sql<number>`min(count + ${count}, ${Number.MAX_SAFE_INTEGER})`, lastSeen: now })
    .where('groupId', '=', groupId)
    .where('imageId', '=', imageId)
    .executeTakeFirst();
  if (numUpdatedRows > 0n) return;
  const { known } = await db
    .selectFrom('errorGroupImages')
    .select((row) => row.fn.countAll<number>().as('known'))
    .where('groupId', '=', groupId)
    .executeTakeFirstOrThrow();
  if (known >= most) return;
  await db
    .insertInto('errorGroupImages')
    .values({ groupId, imageId, count, firstSeen: now, lastSeen: now })
    .execute();
}

/** How many groups the tenant has (null: those of devices that nobody has claimed). */
export async function countGroups(db: Kysely<Database>, tenantId: string | null): Promise<number> {
  const { count } = await db
    .selectFrom('errorGroups')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('tenantId', tenantId === null ? 'is' : '=', tenantId)
    .executeTakeFirstOrThrow();
  return count;
}

/** Forgets at most `most` ids of reports that came before `time` (ms since 1970); answers how many. */
export async function deleteReportsBefore(db: Kysely<Database>, time: number, most: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('errorReports')
    .where(
      sql`rowid`,
      'in',
      db
        .selectFrom('errorReports')
        .select(sql`rowid`.as('row'))
        .where('receivedAt', '<', time)
        .limit(most),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

/** The builds of these groups, most recent first. */
export async function selectGroupImages(
  db: Kysely<Database>,
  groupIds: readonly string[],
): Promise<readonly ErrorGroupImageRow[]> {
  if (groupIds.length === 0) return [];
  return db
    .selectFrom('errorGroupImages')
    .selectAll()
    .where('groupId', 'in', groupIds)
    .orderBy('lastSeen', 'desc')
    .orderBy('imageId')
    .execute();
}
