import type { Kysely } from 'kysely';
import type { Database } from './database.ts';
import type { PreparedQuery } from './prepared-query.ts';

/**
 * The one seam for the service's rows (architecture.md §4). Two rules make it safe to use without knowing the engine:
 * what `write` has resolved is on disk, and what `read` shows was acknowledged to somebody.
 */
export interface Store<Tables = Database> {
  /**
   * Runs `work` in isolation from all other works and resolves with its value once its rows are durable.
   * A work that rejects changes nothing and disturbs no other. `work` awaits queries of `tx` and nothing else – no
   * network, no timers, no other `write` – since works that wait in line wait for it; `tx` is dead when it has ended.
   * Errors: what the work threw; `CommitFailed`, `NestedWrite`, `StoreClosed`.
   */
  write<T>(work: (tx: Kysely<Tables>) => Promise<T> | T): Promise<T>;
  /**
   * As `write` with this one statement for its work, and cheaper: a statement that fails undoes itself, so it needs no
   * way back of its own. Resolves once its rows are durable.
   */
  writeOne<Values, Row>(
    statement: PreparedQuery<Values, Row, Tables>,
    values: Values,
  ): Promise<readonly Row[]>;
  /** Queries over what is committed. Refuses to change anything. */
  readonly read: Kysely<Tables>;
  /** Ends the works that were handed in, refuses new ones, lets go of the files. */
  close(): Promise<void>;
}
