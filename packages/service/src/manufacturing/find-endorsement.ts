import type { Endorsement } from '@sevenfold/formats';
import type { Kysely } from 'kysely';

import type { Database } from '../store/database.ts';
import { selectEndorsement, type EndorsementRow } from './queries.ts';

/** An endorsement, and who gave it. */
export type FoundEndorsement = Endorsement & { readonly makerId: string };

/** What a silicon maker said about this chip; null for a chip that nobody vouches for. */
export async function findEndorsement(
  db: Kysely<Database>,
  deviceId: string,
): Promise<FoundEndorsement | null> {
  return toEndorsement(await selectEndorsement(db, deviceId));
}

function toEndorsement(row: EndorsementRow | undefined): FoundEndorsement | null {
  if (row === undefined) return null;
  const { deviceId, spki, chipSku, evidenceName, makerId } = row;
  return { deviceId, spki, chipSku, evidenceName, makerId };
}
