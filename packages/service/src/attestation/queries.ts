import type { Kysely, Selectable } from 'kysely';

import type { Database } from '../store/database.ts';
import { prepareFor } from '../store/prepared-query.ts';
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

/** Puts a verdict in the place of the device's last one. */
export const replaceAttestation = prepareFor<AttestationRow>()((db, parameter) =>
  db
    .insertInto('attestations')
    .values({ ...columnsOf(parameter), deviceId: parameter('deviceId') })
    .onConflict((conflict) => conflict.column('deviceId').doUpdateSet(columnsOf(parameter))),
);

/** All columns but the key. */
function columnsOf(
  of: <Name extends keyof AttestationRow>(name: Name) => AttestationRow[Name],
): Omit<AttestationRow, 'deviceId'> {
  return {
    time: of('time'),
    verdict: of('verdict'),
    reasons: of('reasons'),
    format: of('format'),
    evidenceDigest: of('evidenceDigest'),
    lifecycle: of('lifecycle'),
    components: of('components'),
    release: of('release'),
    requiredRelease: of('requiredRelease'),
    policyVersion: of('policyVersion'),
    tenantId: of('tenantId'),
    clientSerial: of('clientSerial'),
    updateSerial: of('updateSerial'),
    nextCheck: of('nextCheck'),
    result: of('result'),
  };
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
