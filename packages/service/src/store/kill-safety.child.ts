/**
 * The victim of the store's kill test: writes rows without end, several at a time, and prints the number of each one
 * once it was acknowledged.
 */
import { writeSync } from 'node:fs';
import { openSqliteStore } from './sqlite-store.ts';

const file = process.argv[2];
if (file === undefined) throw new Error('usage: kill-safety.child.ts DATABASE');
const store = openSqliteStore<{ entries: { id: number } }>(file);
await store.write((tx) => tx.schema.createTable('entries').addColumn('id', 'integer').execute());

let next = 0;
const writeForever = async (): Promise<never> => {
  for (;;) {
    const id = next++;
    await store.write((tx) => tx.insertInto('entries').values({ id }).execute());
    writeSync(1, `${id}\n`);
  }
};
await Promise.all(Array.from({ length: 7 }, writeForever));
