import type { Kysely } from 'kysely';

/**
 * The tables of one capability. `create` makes them as they were first released; each later change is a row of
 * `changes`, in order, and is never edited afterwards. Portable types only: `text`, `integer` (also booleans, 0 or 1),
 * `bigint` (times in ms or s), `bytea` (bytes).
 */
export interface CapabilitySchema {
  readonly capability: string;
  create(db: Kysely<unknown>): Promise<void>;
  readonly changes?: readonly { readonly name: string; apply(db: Kysely<unknown>): Promise<void> }[];
}

/** Which schema steps this database has seen. */
export interface MigrationTables {
  migrations: { step: string; appliedAt: number };
}
