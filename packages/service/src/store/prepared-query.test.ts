import { DatabaseSync } from 'node:sqlite';

import type { Kysely } from 'kysely';
import { expect, it } from 'vitest';

import type { Database } from './database.ts';
import { openKysely, SqliteSession } from './sqlite-dialect.ts';
import { prepareFor } from './prepared-query.ts';

const insertNonce = prepareFor<{ readonly nonce: string; readonly expiresAt: number }>()((db, parameter) =>
  db
    .insertInto('attestationNonces')
    .values({ nonce: parameter('nonce'), expiresAt: parameter('expiresAt') })
    .onConflict((conflict) => conflict.column('nonce').doUpdateSet({ expiresAt: parameter('expiresAt') })),
);
const selectLater = prepareFor<{ readonly time: number }>()((db, parameter) =>
  db
    .selectFrom('attestationNonces')
    .select('nonce')
    .where('expiresAt', '>', parameter('time'))
    .orderBy('nonce'),
);

function openMemory(isOpen = () => true): Kysely<Database> {
  const database = new DatabaseSync(':memory:');
  database.exec('create table "attestationNonces" ("nonce" text primary key, "expiresAt" bigint)');
  const session = new SqliteSession(database);
  return openKysely<Database>(() => session, isOpen);
}

it('a prepared query runs with other values each time, on whichever database it is given', async () => {
  const [first, second] = [openMemory(), openMemory()];
  await insertNonce(first, { nonce: "a'; drop", expiresAt: 10 });
  await insertNonce(first, { nonce: 'b', expiresAt: 20 });
  await insertNonce(first, { nonce: 'b', expiresAt: 5 });
  await insertNonce(second, { nonce: 'c', expiresAt: 30 });
  expect(await selectLater(first, { time: 9 })).toMatchObject([{ nonce: "a'; drop" }]);
  expect(await selectLater(first, { time: 4 })).toHaveLength(2);
  expect(await selectLater(second, { time: 4 })).toMatchObject([{ nonce: 'c' }]);
});

it('a prepared query is refused where any other would be: after its work, and outside of a store', async () => {
  await expect(
    selectLater(
      openMemory(() => false),
      { time: 0 },
    ),
  ).rejects.toMatchObject({ code: 'WorkFinished' });
  const foreign = openMemory().withoutPlugins();
  await expect(selectLater(foreign, { time: 0 })).rejects.toThrow(/store alone/u);
});
