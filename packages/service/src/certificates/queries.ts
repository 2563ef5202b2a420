import type { Kysely, Selectable } from 'kysely';

import type { Database } from '../store/database.ts';
import type { CertificatesTables } from './schema.ts';

export type AuthorityRow = Selectable<CertificatesTables['authorities']>;

/** Authorities of one kind and tenant (null: of the service), the newest first. */
export async function selectAuthorities(
  db: Kysely<Database>,
  kind: string,
  tenantId: string | null,
): Promise<readonly AuthorityRow[]> {
  return db
    .selectFrom('authorities')
    .selectAll()
    .where('kind', '=', kind)
    .where('tenantId', tenantId === null ? 'is' : '=', tenantId)
    .orderBy('notBefore', 'desc')
    .orderBy('activeFrom', 'desc')
    .orderBy('place', 'desc')
    .execute();
}

export async function selectAuthority(
  db: Kysely<Database>,
  serial: string,
): Promise<AuthorityRow | undefined> {
  return db.selectFrom('authorities').selectAll().where('serial', '=', serial).executeTakeFirst();
}

/** Keeps the authority unless its place is taken, and gives the one that has the place. */
export async function claimPlace(db: Kysely<Database>, row: AuthorityRow): Promise<AuthorityRow> {
  await db
    .insertInto('authorities')
    .values(row)
    .onConflict((conflict) => conflict.column('place').doNothing())
    .execute();
  return db.selectFrom('authorities').selectAll().where('place', '=', row.place).executeTakeFirstOrThrow();
}

/** Tenants all of whose authorities end before `end` (ms since 1970). */
export async function selectTenantsEndingBefore(
  db: Kysely<Database>,
  end: number,
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('authorities')
    .select('tenantId')
    .where('tenantId', 'is not', null)
    .where('revokedAt', 'is', null)
    .groupBy('tenantId')
    .having((authority) => authority.fn.max('notAfter'), '<=', end)
    .execute();
  return rows.flatMap(({ tenantId }) => (tenantId === null ? [] : [tenantId]));
}

/** Authorities that still count although the one that certified them was taken back. */
export async function selectOrphans(db: Kysely<Database>, now: number): Promise<readonly AuthorityRow[]> {
  return db
    .selectFrom('authorities')
    .innerJoin('authorities as issuer', 'issuer.serial', 'authorities.issuerSerial')
    .selectAll('authorities')
    .where('issuer.revokedAt', 'is not', null)
    .where('authorities.revokedAt', 'is', null)
    .where('authorities.notAfter', '>', now)
    .execute();
}

export async function revokeAuthority(db: Kysely<Database>, serial: string, now: number): Promise<void> {
  await db
    .updateTable('authorities')
    .set({ revokedAt: now })
    .where('serial', '=', serial)
    .where('revokedAt', 'is', null)
    .execute();
}

/** The place of the intermediate that waits for an answer; undefined where none does. */
export async function selectRequest(db: Kysely<Database>): Promise<string | undefined> {
  return (await db.selectFrom('intermediateRequests').select('place').executeTakeFirst())?.place;
}

export async function insertRequest(db: Kysely<Database>, place: string, now: number): Promise<void> {
  await db
    .insertInto('intermediateRequests')
    .values({ place, requestedAt: now })
    .onConflict((conflict) => conflict.column('place').doNothing())
    .execute();
}

export async function deleteRequest(db: Kysely<Database>, place: string): Promise<void> {
  await db.deleteFrom('intermediateRequests').where('place', '=', place).execute();
}
