import { sql, type Kysely } from 'kysely';
import { ServiceError } from '../service-error.ts';
import type { CapabilitySchema } from './schema.ts';
import type { Store } from './store.ts';

/**
 * Brings the tables to what this program knows; a step and its row are one transaction, so a killed start goes on
 * where it was. A database with steps of a newer program is refused (`NewerDatabase`): its rows may mean other things.
 */
export async function migrate<Tables>(
  store: Store<Tables>,
  schemas: readonly CapabilitySchema[],
  now: number,
): Promise<void> {
  const done = await store.write(async (tx) => {
    await tx.schema
      .createTable('migrations')
      .ifNotExists()
      .addColumn('step', 'text', (column) => column.primaryKey())
      .addColumn('appliedAt', 'bigint', (column) => column.notNull())
      .execute();
    const { rows } = await sql<{ step: string }>`select step from migrations`.execute(tx);
    return new Set(rows.map((row) => row.step));
  });
  const steps = schemas.flatMap((schema) => [
    { name: `${schema.capability}/create`, apply: (db: Kysely<unknown>) => schema.create(db) },
    ...(schema.changes ?? []).map((change) => ({
      name: `${schema.capability}/${change.name}`,
      apply: (db: Kysely<unknown>) => change.apply(db),
    })),
  ]);
  const known = new Set(steps.map((step) => step.name));
  const foreign = [...done].find((step) => !known.has(step));
  if (foreign !== undefined) {
    throw new ServiceError(
      'NewerDatabase',
      `The database was made by a newer version: it has "${foreign}".`,
      {
        rule: 'a database is opened by the version that made it or a later one',
      },
    );
  }
  for (const step of steps.filter((step) => !done.has(step.name))) {
    await store.write(async (tx) => {
      // The schema builder needs no table types; a Kysely of one set of tables is not assignable to another.
      await step.apply(tx as unknown as Kysely<unknown>);
      await sql`insert into migrations (step, ${sql.ref('appliedAt')}) values (${step.name}, ${now})`.execute(
        tx,
      );
    });
  }
}
