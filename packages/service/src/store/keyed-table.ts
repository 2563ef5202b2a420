import { sql, type Kysely } from 'kysely';

/**
 * Ends the making of a table whose rows lie in the order of their primary key: finding one is one descent in place of
 * two, and one page in place of two. For rows that are short (SQLite's manual says: below a twentieth of a page, or
 * the inner pages hold too few) and looked up by that key (docs/decisions/0045). An engine that has no such tables
 * leaves the clause out.
 */
export const withoutRowId = sql`without rowid`;

/** Moves all rows of `former` to `made`, which has these columns, and gives that its name. Indexes are made afterwards. */
export async function replaceTable(
  db: Kysely<unknown>,
  former: string,
  made: string,
  columns: readonly string[],
): Promise<void> {
  const [from, to] = [sql.table(former), sql.table(made)];
  const names = sql.join(columns.map((column) => sql.ref(column)));
  // In the order of the key: pages are filled one after the other.
  await sql`insert into ${to} (${names}) select ${names} from ${from} order by 1`.execute(db);
  await db.schema.dropTable(former).execute();
  await db.schema.alterTable(made).renameTo(former).execute();
}
