import type { Kysely } from 'kysely';

import type { Database } from '../store/database.ts';
import type { Endorsement } from './endorsement-batch.ts';
import { selectEndorsement } from './queries.ts';

/** What a silicon maker said about this chip; null for a chip that nobody vouches for. */
export async function findEndorsement(
  db: Kysely<Database>,
  deviceId: string,
): Promise<(Endorsement & { readonly makerId: string }) | null> {
  const row = await selectEndorsement(db, deviceId);
  return row === undefined
    ? null
    : { deviceId: row.deviceId, spki: row.spki, chipSku: row.chipSku, makerId: row.makerId };
}
