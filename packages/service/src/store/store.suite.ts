import { sql, type Kysely } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServiceError } from '../service-error.ts';
import { migrate } from './migrate.ts';
import { prepareFor } from './prepared-query.ts';
import type { CapabilitySchema } from './schema.ts';
import type { Store } from './store.ts';

/** The table of the suite. */
export interface SuiteTables {
  entries: { name: string; amount: number; bytes: Uint8Array | null };
}

/** One engine under test: `open` on the same place shows what was committed there before. */
export interface StoreUnderTest {
  open(): Promise<Store<SuiteTables>>;
  dispose(): Promise<void>;
}

const ENTRIES: CapabilitySchema = {
  capability: 'suite',
  async create(db) {
    await db.schema
      .createTable('entries')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('amount', 'bigint', (column) => column.notNull())
      .addColumn('bytes', 'bytea')
      .execute();
  },
};

const insert =
  (name: string, amount = 1) =>
  async (tx: Kysely<SuiteTables>) => {
    await tx.insertInto('entries').values({ name, amount, bytes: null }).execute();
    return name;
  };

const insertEntry = prepareFor<{ readonly name: string; readonly amount: number }, SuiteTables>()(
  (db, parameter) =>
    db.insertInto('entries').values({ name: parameter('name'), amount: parameter('amount'), bytes: null }),
);

/** What every engine of the store promises; each implementation runs it. */
export function storeSuite(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`store on ${name}`, () => {
    let place: StoreUnderTest;
    let store: Store<SuiteTables>;
    const names = async (): Promise<string[]> =>
      (await store.read.selectFrom('entries').select('name').orderBy('name').execute()).map(
        (row) => row.name,
      );

    beforeEach(async () => {
      place = await make();
      store = await place.open();
      await migrate(store, [ENTRIES], 1000);
    });
    afterEach(async () => {
      await store.close();
      await place.dispose();
    });

    it('answers a write with what the work returned, and reads see its rows', async () => {
      expect(await store.write(insert('one', 5))).toBe('one');
      expect(await store.read.selectFrom('entries').selectAll().execute()).toEqual([
        { name: 'one', amount: 5, bytes: null },
      ]);
    });

    it('keeps bytes, large integers and unusual text as they were', async () => {
      const bytes = Uint8Array.of(0, 255, 1, 0);
      const row = { name: "Zoë '; drop table entries; --\u0000", amount: Number.MAX_SAFE_INTEGER, bytes };
      await store.write(async (tx) => {
        await tx.insertInto('entries').values(row).execute();
      });
      const read = await store.read.selectFrom('entries').selectAll().executeTakeFirstOrThrow();
      expect({ ...read, bytes: [...(read.bytes ?? [])] }).toEqual({ ...row, bytes: [...bytes] });
    });

    it('rolls back a failing work alone: the ones before and after it in the group stay', async () => {
      const outcomes = await Promise.allSettled([
        store.write(insert('before')),
        store.write(async (tx) => {
          await insert('lost')(tx);
          throw new Error('changed my mind');
        }),
        store.write(insert('before')),
        store.write(insert('after')),
      ]);
      expect(outcomes.map((outcome) => outcome.status)).toEqual([
        'fulfilled',
        'rejected',
        'rejected',
        'fulfilled',
      ]);
      expect(await names()).toEqual(['after', 'before']);
    });

    it('runs single statements in their turn, and one that fails undoes itself alone', async () => {
      const outcomes = await Promise.allSettled([
        store.write(insert('first', 1)),
        store.writeOne(insertEntry, { name: 'second', amount: 2 }),
        store.writeOne(insertEntry, { name: 'first', amount: 3 }),
        store.write(async (tx) => {
          await insert('undone')(tx);
          throw new Error('changed my mind');
        }),
        store.writeOne(insertEntry, { name: 'third', amount: 4 }),
      ]);
      expect(outcomes.map((outcome) => outcome.status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'rejected',
        'fulfilled',
      ]);
      expect(await names()).toEqual(['first', 'second', 'third']);
      const nested = store.write(() => store.writeOne(insertEntry, { name: 'inner', amount: 1 }));
      await expect(nested).rejects.toMatchObject({ code: 'NestedWrite' });
      await store.close();
      const late = store.writeOne(insertEntry, { name: 'late', amount: 1 });
      await expect(late).rejects.toMatchObject({ code: 'StoreClosed' });
      store = await place.open();
      expect(await names()).toEqual(['first', 'second', 'third']);
    });

    it('lets no statement live on beyond its turn', async () => {
      let escaped: Kysely<SuiteTables> | undefined;
      await store.writeOne(async (tx: Kysely<SuiteTables>) => {
        escaped = tx;
        return [];
      }, {});
      if (escaped === undefined) throw new Error('the statement did not run');
      await expect(insertEntry(escaped, { name: 'late', amount: 1 })).rejects.toMatchObject({
        code: 'WorkFinished',
      });
    });

    it('runs a thousand works handed in at once, in order, each seeing the ones before it', async () => {
      await store.write(insert('counter', 0));
      const seen = await Promise.all(
        Array.from({ length: 1000 }, () =>
          store.write(async (tx) => {
            const { amount } = await tx.selectFrom('entries').select('amount').executeTakeFirstOrThrow();
            await tx
              .updateTable('entries')
              .set({ amount: amount + 1 })
              .execute();
            return amount;
          }),
        ),
      );
      expect(seen).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    });

    it('shows no reader what is not committed yet', async () => {
      const during = await store.write(async (tx) => {
        await insert('pending')(tx);
        return names();
      });
      expect(during).toEqual([]);
      expect(await names()).toEqual(['pending']);
    });

    it('tells how many rows a change touched', async () => {
      await store.write(insert('one'));
      const touched = await store.write((tx) =>
        tx.updateTable('entries').set({ amount: 9 }).where('name', 'in', ['one', 'two']).executeTakeFirst(),
      );
      expect(touched.numUpdatedRows).toBe(1n);
    });

    it('refuses a write inside a work, instead of waiting for itself', async () => {
      const nested = store.write(() => store.write(insert('inner')));
      await expect(nested).rejects.toMatchObject({ code: 'NestedWrite' });
      expect(await names()).toEqual([]);
    });

    it('refuses a query that outlives its work', async () => {
      let escaped: Kysely<SuiteTables> | undefined;
      await store.write((tx) => {
        escaped = tx;
      });
      await expect(escaped?.selectFrom('entries').selectAll().execute()).rejects.toMatchObject({
        code: 'WorkFinished',
      });
    });

    it('refuses transactions and changes through the reading side', async () => {
      await expect(store.read.transaction().execute(async () => {})).rejects.toMatchObject({
        code: 'TransactionNotAllowed',
      });
      await store.write(insert('one'));
      await expect(sql`delete from entries`.execute(store.read)).rejects.toThrow(/read.?only/i);
      await expect(store.read.deleteFrom('entries').execute()).rejects.toThrow(/read.?only/i);
      const disguised = store.read
        .with('gone', (db) => db.deleteFrom('entries').returning('name'))
        .selectFrom('gone')
        .selectAll();
      await expect(disguised.execute()).rejects.toThrow();
      expect(await names()).toEqual(['one']);
    });

    it('has everything acknowledged after it was closed and opened again', async () => {
      const writes = Promise.all([store.write(insert('one')), store.write(insert('two'))]);
      await store.close();
      await writes;
      await expect(store.write(insert('late'))).rejects.toMatchObject({ code: 'StoreClosed' });
      store = await place.open();
      await migrate(store, [ENTRIES], 2000);
      expect(await names()).toEqual(['one', 'two']);
    });

    it('applies each schema step once, and undoes a step that fails', async () => {
      await store.write(insert('one'));
      const failing: CapabilitySchema = {
        ...ENTRIES,
        changes: [
          {
            name: 'add-note',
            async apply(db) {
              await db.schema.alterTable('entries').addColumn('note', 'text').execute();
              throw new Error('power failed');
            },
          },
        ],
      };
      await expect(migrate(store, [failing], 3000)).rejects.toThrow('power failed');
      const working: CapabilitySchema = {
        ...ENTRIES,
        changes: [
          {
            name: 'add-note',
            apply: (db) => db.schema.alterTable('entries').addColumn('note', 'text').execute(),
          },
        ],
      };
      await migrate(store, [working], 4000);
      await migrate(store, [working], 5000);
      expect(await names()).toEqual(['one']);
    });

    it('refuses a database that a newer program has changed', async () => {
      await expect(migrate(store, [], 3000)).rejects.toThrow(ServiceError);
      await expect(migrate(store, [], 3000)).rejects.toMatchObject({ code: 'NewerDatabase' });
    });
  });
}
