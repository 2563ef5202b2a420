import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';
import { registerRunner } from './prepared-query.ts';
import { ServiceError } from '../service-error.ts';

/** Prepared statements kept a connection: more than the service has queries, small enough to forget about. */
const MOST_STATEMENTS = 400;

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

/** One open database file: runs compiled queries, keeps their statements prepared. */
export class SqliteSession {
  readonly database: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();

  constructor(database: DatabaseSync) {
    this.database = database;
  }

  run<R>(sql: string, untrustedParameters: readonly unknown[]): QueryResult<R> {
    const { statement, returnsRows } = this.#prepare(sql);
    const parameters = untrustedParameters.map(toInputValue);
    if (returnsRows) {
      // The row type is what kysely derived from the query that it compiled into `sql`.
      return { rows: statement.all(...parameters) as R[] };
    }
    const { changes, lastInsertRowid } = statement.run(...parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  /** Runs a statement that has neither parameters nor rows. */
  command(sql: string): void {
    this.#prepare(sql).statement.run();
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.database.prepare(sql);
    const prepared = { statement, returnsRows: statement.columns().length > 0 };
    if (this.#prepared.size >= MOST_STATEMENTS) this.#prepared.clear();
    this.#prepared.set(sql, prepared);
    return prepared;
  }
}

/** SQLite has no booleans, and node:sqlite refuses what it does not know with a message that names no query. */
function toInputValue(value: unknown): SQLInputValue {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value === null || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') {
    return value;
  }
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`A query parameter of type ${typeof value} has no column type.`);
}

/** The session that a query runs on; `isSelect` is true where it can change nothing. */
export type SessionOf = (isSelect: boolean) => SqliteSession;

/** Queries for as long as `isOpen` says so. */
class SqliteConnection implements DatabaseConnection {
  readonly #sessionOf: SessionOf;
  readonly #isOpen: () => boolean;

  constructor(sessionOf: SessionOf, isOpen: () => boolean) {
    this.#sessionOf = sessionOf;
    this.#isOpen = isOpen;
  }

  // oxlint-disable-next-line require-await -- kysely's interface; a synchronous throw would escape its error handling
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.run(query, query.parameters);
  }

  run<R>(query: CompiledQuery, parameters: readonly unknown[]): QueryResult<R> {
    if (!this.#isOpen()) {
      throw new ServiceError('WorkFinished', 'A query was started on a transaction that has ended.', {
        rule: 'a work awaits all of its queries',
      });
    }
    return this.#sessionOf(query.query.kind === 'SelectQueryNode').run<R>(query.sql, parameters);
  }

  // oxlint-disable-next-line require-yield
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    const result = await this.executeQuery<R>(query);
    for (const row of result.rows) yield { rows: [row] };
  }
}

/** Transactions belong to the store (`write`), so that none can hold up the others. */
function refuseTransaction(): Promise<never> {
  return Promise.reject(
    new ServiceError('TransactionNotAllowed', 'Transactions are made by store.write alone.', {
      rule: 'no transaction inside a work or on store.read',
    }),
  );
}

/**
 * Kysely over `node:sqlite`: its stock SQLite driver asks statements for `reader`, which these do not have.
 * Queries are refused (`WorkFinished`) while `isOpen` says no.
 */
export function openKysely<Tables>(sessionOf: SessionOf, isOpen: () => boolean): Kysely<Tables> {
  const connection = new SqliteConnection(sessionOf, isOpen);
  const db = new Kysely<Tables>({ dialect: dialectOf(connection) });
  registerRunner(db, (query, parameters) => connection.run(query, parameters));
  return db;
}

function dialectOf(connection: SqliteConnection): Dialect {
  const driver: Driver = {
    init: async () => {},
    acquireConnection: () => Promise.resolve(connection),
    beginTransaction: refuseTransaction,
    commitTransaction: refuseTransaction,
    rollbackTransaction: refuseTransaction,
    releaseConnection: async () => {},
    destroy: async () => {},
  };
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}
