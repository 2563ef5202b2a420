import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from './sqlite-store.ts';
import { storeSuite, type SuiteTables } from './store.suite.ts';

const makeFolder = (): Promise<string> => mkdtemp(path.join(tmpdir(), 'sevenfold-store-'));

storeSuite('SQLite', async () => {
  const folder = await makeFolder();
  return {
    open: async () => openSqliteStore<SuiteTables>(path.join(folder, 'service.sqlite')),
    dispose: () => rm(folder, { recursive: true }),
  };
});

describe('SQLite store on disk', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await makeFolder();
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('keeps its file from other users and syncs every commit', async () => {
    const file = path.join(folder, 'service.sqlite');
    const store = openSqliteStore(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const mode = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(store.read);
    expect(mode.rows).toEqual([{ journal_mode: 'wal' }]);
    const synchronous = await store.write(async (tx) => sql`pragma synchronous`.execute(tx));
    expect(synchronous.rows).toEqual([{ synchronous: 2 }]);
    await store.close();
  });

  it('keeps the pages of a large fleet in memory where it writes, which is where it reads as well', async () => {
    const store = openSqliteStore(path.join(folder, 'service.sqlite'));
    // A negative size is one in KiB.
    const expected = { rows: [{ cache_size: -65_536 }] };
    expect(await store.write((tx) => sql`pragma cache_size`.execute(tx))).toMatchObject(expected);
    await store.close();
  });

  it('has what it acknowledged and nothing else when the disk is full, and goes on when there is room', async () => {
    const store = openSqliteStore<SuiteTables>(path.join(folder, 'service.sqlite'));
    await store.write((tx) =>
      sql`create table entries (name text primary key, amount integer not null, bytes blob)`.execute(tx),
    );
    const limit = async (pages: number): Promise<unknown> =>
      store.write((tx) => sql`pragma max_page_count = ${sql.raw(String(pages))}`.execute(tx));
    const write = async (name: string, length: number): Promise<string> =>
      store.write(async (tx) => {
        await tx
          .insertInto('entries')
          .values({ name, amount: 1, bytes: new Uint8Array(length) })
          .execute();
        return name;
      });
    await limit(20);
    const sizes = Array.from({ length: 40 }, (_, index) => (index % 7 === 3 ? 60_000 : 100));
    const outcomes = await Promise.allSettled(sizes.map((size, index) => write(`${index}`, size)));
    const acknowledged = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(acknowledged.length).toBeLessThan(40);
    const present = async (): Promise<string[]> =>
      (await store.read.selectFrom('entries').select('name').execute()).map(({ name }) => name);
    expect((await present()).sort()).toEqual(acknowledged.sort());
    await limit(10_000);
    expect(await write('later', 60_000)).toBe('later');
    expect(await present()).toContain('later');
    await store.close();
  });

  it.each([1, 60, 333])(
    'loses nothing acknowledged when its process is killed after %i acknowledgements',
    async (killAfter) => {
      const file = path.join(folder, 'service.sqlite');
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL('./kill-safety.child.ts', import.meta.url)), file],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const acknowledged: number[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged.push(Number(line));
        if (acknowledged.length === killAfter) child.kill('SIGKILL');
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');

      const store = openSqliteStore<{ entries: { id: number } }>(file);
      const rows = await store.read.selectFrom('entries').select('id').execute();
      const present = new Set(rows.map((row) => row.id));
      expect(acknowledged.length).toBeGreaterThanOrEqual(killAfter);
      expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
      const check = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(store.read);
      expect(check.rows).toEqual([{ integrity_check: 'ok' }]);
      await store.close();
    },
  );
});
