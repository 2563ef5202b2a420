import type { Kysely, Selectable } from 'kysely';

import type { Database } from '../store/database.ts';
import type { AttestationTables } from './schema.ts';

export type AttestationRow = Selectable<AttestationTables['attestations']>;

export async function insertNonce(db: Kysely<Database>, nonce: string, expiresAt: number): Promise<void> {
  await db.insertInto('attestationNonces').values({ nonce, expiresAt }).execute();
}

/** Takes the nonce away; the moment of its end, or null where it is not there (any more). */
export async function takeNonce(db: Kysely<Database>, nonce: string): Promise<number | null> {
  const row = await db
    .deleteFrom('attestationNonces')
    .where('nonce', '=', nonce)
    .returning('expiresAt')
    .executeTakeFirst();
  return row?.expiresAt ?? null;
}

export async function deleteNoncesBefore(db: Kysely<Database>, time: number): Promise<void> {
  await db.deleteFrom('attestationNonces').where('expiresAt', '<', time).execute();
}

export async function countNonces(db: Kysely<Database>): Promise<number> {
  const { count } = await db
    .selectFrom('attestationNonces')
    .select((row) => row.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

export async function replaceAttestation(db: Kysely<Database>, row: AttestationRow): Promise<void> {
  const { deviceId: _key, ...rest } = row;
  await db
    .insertInto('attestations')
    .values(row)
    .onConflict((conflict) => conflict.column('deviceId').doUpdateSet(rest))
    .execute();
}

export async function selectAttestation(
  db: Kysely<Database>,
  deviceId: string,
): Promise<AttestationRow | undefined> {
  return db.selectFrom('attestations').selectAll().where('deviceId', '=', deviceId).executeTakeFirst();
}

export type RefusalRow = Selectable<AttestationTables['attestationRefusals']>;

export async function replaceRefusal(db: Kysely<Database>, row: RefusalRow): Promise<void> {
  const { deviceId: _key, ...rest } = row;
  await db
    .insertInto('attestationRefusals')
    .values(row)
    .onConflict((conflict) => conflict.column('deviceId').doUpdateSet(rest))
    .execute();
}

export async function selectRefusal(db: Kysely<Database>, deviceId: string): Promise<RefusalRow | undefined> {
  return db.selectFrom('attestationRefusals').selectAll().where('deviceId', '=', deviceId).executeTakeFirst();
}
