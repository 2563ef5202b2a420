import type { Kysely, Selectable } from 'kysely';
import type { Database } from '../store/database.ts';
import type { AccessTables } from './schema.ts';

export type PrincipalRow = Selectable<AccessTables['principals']>;
export type EnrolmentTokenRow = Selectable<AccessTables['enrolmentTokens']>;
export type AuditRow = Selectable<AccessTables['auditEntries']>;
type Db = Kysely<Database>;

export function selectPrincipal(db: Db, principalId: string): Promise<PrincipalRow | undefined> {
  return db.selectFrom('principals').selectAll().where('principalId', '=', principalId).executeTakeFirst();
}

/** All principals, or those of one tenant; by id. */
export function selectPrincipals(
  db: Db,
  tenantId: string | null,
  after: string | undefined,
  limit: number,
): Promise<PrincipalRow[]> {
  let query = db.selectFrom('principals').selectAll().orderBy('principalId').limit(limit);
  if (tenantId !== null) query = query.where('tenantId', '=', tenantId);
  if (after !== undefined) query = query.where('principalId', '>', after);
  return query.execute();
}

export async function hasServiceAdministrator(db: Db): Promise<boolean> {
  const row = await db
    .selectFrom('principals')
    .select('principalId')
    .where('role', '=', 'Administrator')
    .where('tenantId', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

export async function insertPrincipal(db: Db, row: PrincipalRow): Promise<void> {
  await db.insertInto('principals').values(row).execute();
}

export function selectEnrolmentToken(db: Db, digest: string): Promise<EnrolmentTokenRow | undefined> {
  return db.selectFrom('enrolmentTokens').selectAll().where('digest', '=', digest).executeTakeFirst();
}

export async function insertEnrolmentToken(db: Db, row: EnrolmentTokenRow): Promise<void> {
  await db.insertInto('enrolmentTokens').values(row).execute();
}

export async function markEnrolmentTokenUsed(db: Db, digest: string, principalId: string): Promise<void> {
  await db.updateTable('enrolmentTokens').set({ usedBy: principalId }).where('digest', '=', digest).execute();
}

/** A used one stays until it expires: its owner may not have heard the answer. */
export async function deleteUnusedFirstTokens(db: Db): Promise<void> {
  await db.deleteFrom('enrolmentTokens').where('purpose', '=', 'first').where('usedBy', 'is', null).execute();
}

export async function deleteExpiredTokens(db: Db, now: number): Promise<void> {
  await db.deleteFrom('enrolmentTokens').where('expiresAt', '<=', now).execute();
}

export async function insertAudit(db: Db, row: AuditRow): Promise<void> {
  await db.insertInto('auditEntries').values(row).execute();
}

export async function updateAuditOutcome(db: Db, entryId: string, outcome: string): Promise<void> {
  await db.updateTable('auditEntries').set({ outcome }).where('entryId', '=', entryId).execute();
}

/** Newest first; of one tenant, or all. */
export function selectAudit(
  db: Db,
  tenantId: string | null,
  before: string | undefined,
  limit: number,
): Promise<AuditRow[]> {
  let query = db.selectFrom('auditEntries').selectAll().orderBy('entryId', 'desc').limit(limit);
  if (tenantId !== null) query = query.where('tenantId', '=', tenantId);
  if (before !== undefined) query = query.where('entryId', '<', before);
  return query.execute();
}
