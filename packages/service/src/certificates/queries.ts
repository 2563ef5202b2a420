import type { Kysely, Selectable } from 'kysely';

import type { Database } from '../store/database.ts';
import type { CertificatesTables } from './schema.ts';

export type AuthorityRow = Selectable<CertificatesTables['authorities']>;

/** Authorities of one kind and tenant (null: of the service), the one that lives longest first. */
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
    .orderBy('notAfter', 'desc')
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
