import { AsyncLocalStorage } from 'node:async_hooks';
import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { ServiceError } from '../service-error.ts';
import type { Database } from './database.ts';
import { openKysely, SqliteSession } from './sqlite-dialect.ts';
import type { PreparedQuery } from './prepared-query.ts';
import type { Store } from './store.ts';

/** Works that share one transaction at most: bounds how long the first of them waits for its fsync. */
const MOST_WORKS_A_COMMIT = 256;
/** How long works wait for company at most, where there is any. Ms. */
const LONGEST_GATHERING = 10;
/** A gathering lasts so many times as long as the last commit: its fsync holds up everything else meanwhile. */
const GATHERING_A_COMMIT = 4;

interface Waiting<Tables> {
  /** One statement and no more, which undoes itself when it fails. */
  readonly isOne: boolean;
  work(tx: Kysely<Tables>): unknown;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** Holds the inner pages of the indexes of a million devices, so that a look-up reads few leaves. */
const CACHE_KIBIBYTES = 65_536;

/** 32 MiB of log: a page that many commits have written is copied into the database once. Every commit is synced as ever. */
const PAGES_A_CHECKPOINT = 8000;

/**
 * Opens (or makes, mode 0600) an SQLite database with WAL and `synchronous=FULL`: a commit returns after its fsync.
 * One process a file: the caller holds the data folder's lock.
 */
export function openSqliteStore<Tables = Database>(file: string): Store<Tables> {
  const database = new DatabaseSync(file, { timeout: 5000, enableForeignKeyConstraints: true });
  chmodSync(file, 0o600);
  database.exec('pragma journal_mode = wal');
  database.exec('pragma synchronous = full');
  database.exec(`pragma wal_autocheckpoint = ${PAGES_A_CHECKPOINT}`);
  database.exec(`pragma cache_size = -${CACHE_KIBIBYTES}`);
  // A second connection, so that reads see committed rows only while a transaction is open on the first.
  const reading = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  return new SqliteStore<Tables>(database, reading);
}

/** Group commit: works that arrive while a transaction is open join it, each in a savepoint of its own. */
class SqliteStore<Tables> implements Store<Tables> {
  readonly read: Kysely<Tables>;
  readonly #writing: SqliteSession;
  readonly #reading: DatabaseSync;
  readonly #queue: Waiting<Tables>[] = [];
  /** What is asked of `#tx` belongs to the work in whose course it is asked, for as long as that lasts. */
  readonly #work = new AsyncLocalStorage<{ isOpen: boolean }>();
  readonly #tx: Kysely<Tables>;
  /** For statements that are works by themselves. */
  readonly #one: Kysely<Tables>;
  #isOneOpen = false;
  #drained: Promise<void> = Promise.resolve();
  #isDraining = false;
  #isClosed = false;
  /** How many works the last commit had, and what it took in ms. */
  #lastCommit = { works: 0, milliseconds: 0 };

  constructor(writing: DatabaseSync, reading: DatabaseSync) {
    this.#writing = new SqliteSession(writing);
    this.#reading = reading;
    const apart = new SqliteSession(reading);
    // Each commit empties the cache of every connection but the one that made it: what can change nothing is asked
    // there, as long as no transaction shows it what is not committed.
    const readingOf = (isSelect: boolean): SqliteSession =>
      isSelect && !writing.isTransaction ? this.#writing : apart;
    this.read = openKysely(readingOf, () => !this.#isClosed);
    this.#tx = openKysely(
      () => this.#writing,
      () => this.#work.getStore()?.isOpen === true,
    );
    this.#one = openKysely(
      () => this.#writing,
      () => this.#isOneOpen,
    );
  }

  write<T>(work: (tx: Kysely<Tables>) => Promise<T> | T): Promise<T> {
    return this.#enqueue(work, false);
  }

  writeOne<Values, Row>(
    statement: PreparedQuery<Values, Row, Tables>,
    values: Values,
  ): Promise<readonly Row[]> {
    return this.#enqueue((tx) => statement(tx, values), true);
  }

  #enqueue<T>(work: (tx: Kysely<Tables>) => Promise<T> | T, isOne: boolean): Promise<T> {
    if (this.#work.getStore() !== undefined) {
      return Promise.reject(
        new ServiceError('NestedWrite', 'store.write was called inside a work.', {
          rule: 'a work uses the transaction that it was given',
        }),
      );
    }
    if (this.#isClosed) return Promise.reject(new ServiceError('StoreClosed', 'The store is closed.'));
    return new Promise<T>((resolve, reject) => {
      // What `resolve` is given is what this very `work` returned.
      this.#queue.push({ isOne, work, resolve: (value) => resolve(value as T), reject });
      if (this.#isDraining) return;
      this.#isDraining = true;
      this.#drained = this.#drain();
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#drained;
    this.#reading.close();
    this.#writing.database.close();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      // One turn of the event loop: works that arrive together share the commit, and sockets are never starved.
      await setImmediate();
      // Who writes alone never waits.
      const { works, milliseconds } = this.#lastCommit;
      if (works > 1 && this.#queue.length < MOST_WORKS_A_COMMIT)
        await setTimeout(Math.min(LONGEST_GATHERING, milliseconds * GATHERING_A_COMMIT));
      await this.#commitGroup();
    }
    this.#isDraining = false;
  }

  async #commitGroup(): Promise<void> {
    const database = this.#writing.database;
    const settled: (() => void)[] = [];
    const members: Waiting<Tables>[] = [];
    try {
      this.#writing.command('begin immediate');
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        members.push(next);
        settled.push(await (next.isOne ? this.#runOne(next) : this.#runInSavepoint(next)));
        // The engine ends the transaction by itself on a full disk, for one: then nobody's rows are there.
        if (!database.isTransaction) throw new Error('the engine rolled the transaction back');
        if (members.length >= MOST_WORKS_A_COMMIT) break;
      }
      const began = performance.now();
      this.#writing.command('commit');
      this.#lastCommit = { works: members.length, milliseconds: performance.now() - began };
    } catch (cause) {
      if (database.isTransaction) database.exec('rollback');
      const error = new ServiceError(
        'CommitFailed',
        'The rows could not be made durable; nothing was changed.',
        { cause },
      );
      const lost = members.length > 0 ? members : this.#queue.splice(0);
      for (const member of lost) member.reject(error);
      return;
    }
    for (const settle of settled) settle();
  }

  /** As `#runInSavepoint`, for what cannot be half done. */
  async #runOne(waiting: Waiting<Tables>): Promise<() => void> {
    this.#isOneOpen = true;
    try {
      const value = await waiting.work(this.#one);
      return () => waiting.resolve(value);
    } catch (reason) {
      return () => waiting.reject(reason);
    } finally {
      this.#isOneOpen = false;
    }
  }

  /** Answers with what to do once the group's commit is on disk. */
  async #runInSavepoint(waiting: Waiting<Tables>): Promise<() => void> {
    const { database } = this.#writing;
    const state = { isOpen: true };
    this.#writing.command('savepoint work');
    try {
      const value = await this.#work.run(state, async () => waiting.work(this.#tx));
      this.#writing.command('release work');
      return () => waiting.resolve(value);
    } catch (reason) {
      if (database.isTransaction) database.exec('rollback to work; release work');
      return () => waiting.reject(reason);
    } finally {
      state.isOpen = false;
    }
  }
}
