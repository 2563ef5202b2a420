import type { OsFeed } from '@sevenfold/api';
import type { ChipSkuName } from '@sevenfold/formats';
import type { Kysely } from 'kysely';
import type { Database } from '../store/database.ts';
import { parseFeed } from './device-groups.ts';
import type { RegisteredDevice } from './devices.ts';
import { selectAttester } from './queries.ts';
import { readSkus } from './tenants.ts';

/** A genuine device with what is decided about it, and the key that its evidence is signed with. */
export interface Attester extends RegisteredDevice {
  /** SPKI of the endorsed key. */
  readonly spki: Uint8Array;
  /** The feed of its group; `Retail` for a device in none. */
  readonly osFeed: OsFeed;
  /** The virtual chips that its tenant allows; none for a device that nobody has claimed. */
  readonly allowedVirtualSkus: readonly ChipSkuName[];
}

/** The chip that was endorsed under the name (hex) that its evidence uses; null for one that nobody vouches for. */
export async function findAttester(db: Kysely<Database>, evidenceName: string): Promise<Attester | null> {
  const [row] = await selectAttester(db, { evidenceName });
  if (row === undefined) return null;
  const { deviceId, spki, chipSku, tenantId, deviceGroupId } = row;
  return {
    deviceId,
    spki,
    chipSku,
    tenantId,
    deviceGroupId,
    blocked: row.blocked !== null && row.blocked !== 0,
    released: tenantId === null && row.releasedAt !== null,
    osFeed: row.osFeed === null ? 'Retail' : parseFeed(row.osFeed),
    allowedVirtualSkus: row.virtualSkus === null ? [] : readSkus(row.virtualSkus),
  };
}
