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
    .values({
      deviceId: parameter('deviceId'),
      time: parameter('time'),
      verdict: parameter('verdict'),
      reasons: parameter('reasons'),
      format: parameter('format'),
      evidenceDigest: parameter('evidenceDigest'),
      lifecycle: parameter('lifecycle'),
      components: parameter('components'),
      release: parameter('release'),
      requiredRelease: parameter('requiredRelease'),
      policyVersion: parameter('policyVersion'),
      tenantId: parameter('tenantId'),
      clientSerial: parameter('clientSerial'),
      updateSerial: parameter('updateSerial'),
      nextCheck: parameter('nextCheck'),
      result: parameter('result'),
    })
    .onConflict((conflict) =>
      conflict.column('deviceId').doUpdateSet((row) => ({
        time: row.ref('excluded.time'),
        verdict: row.ref('excluded.verdict'),
        reasons: row.ref('excluded.reasons'),
        format: row.ref('excluded.format'),
        evidenceDigest: row.ref('excluded.evidenceDigest'),
        lifecycle: row.ref('excluded.lifecycle'),
        components: row.ref('excluded.components'),
        release: row.ref('excluded.release'),
        requiredRelease: row.ref('excluded.requiredRelease'),
        policyVersion: row.ref('excluded.policyVersion'),
        tenantId: row.ref('excluded.tenantId'),
        clientSerial: row.ref('excluded.clientSerial'),
        updateSerial: row.ref('excluded.updateSerial'),
        nextCheck: row.ref('excluded.nextCheck'),
        result: row.ref('excluded.result'),
      })),
    ),
);

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
