import type { Kysely } from 'kysely';
import { findEndorsement } from '../manufacturing/find-endorsement.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import { getDeviceGroup } from './device-groups.ts';
import { isReleased, selectDevice, selectDevices, updateDeviceRow, type DeviceRow } from './queries.ts';
import type { PageRequest } from './tenants.ts';

/** A device that was claimed. `claimedAt` in ms since 1970. */
export interface ClaimedDevice {
  readonly deviceId: string;
  readonly tenantId: string;
  readonly deviceGroupId: string | null;
  readonly chipSku: number;
  readonly blocked: boolean;
  readonly claimedAt: number;
}

/** A genuine device, claimed (`tenantId`) or not yet. */
export interface RegisteredDevice {
  readonly deviceId: string;
  readonly tenantId: string | null;
  readonly deviceGroupId: string | null;
  readonly chipSku: number;
  readonly blocked: boolean;
  /** Its tenant has given it up, and nobody has claimed it since. */
  readonly released: boolean;
}

/** What the registry knows about a chip; null for one that no silicon maker has endorsed. O(1). */
export async function findDevice(db: Kysely<Database>, deviceId: string): Promise<RegisteredDevice | null> {
  const row = await selectDevice(db, deviceId);
  if (row !== undefined) return { ...toClaimedDevice(row), released: false };
  const endorsement = await findEndorsement(db, deviceId);
  if (endorsement === null) return null;
  return {
    deviceId,
    tenantId: null,
    deviceGroupId: null,
    chipSku: endorsement.chipSku,
    blocked: false,
    released: await isReleased(db, deviceId),
  };
}

/** The tenant's device; `NotFound` for one that is not its own. */
export async function getDevice(
  db: Kysely<Database>,
  tenantId: string,
  deviceId: string,
): Promise<ClaimedDevice> {
  const row = await selectDevice(db, deviceId);
  if (row === undefined || row.tenantId !== tenantId) throw deviceNotFound(deviceId);
  return toClaimedDevice(row);
}

/** Devices of a tenant, or of one of its groups; by id. */
export async function listDevices(
  { store }: Pick<ServiceContext, 'store'>,
  tenantId: string,
  page: PageRequest & { readonly deviceGroupId?: string | undefined },
): Promise<{ items: ClaimedDevice[]; next: string | null }> {
  const slice = { after: page.after, limit: rowsToFetch(page) };
  const rows = await selectDevices(store.read, tenantId, page.deviceGroupId, slice);
  return toPage(rows, page, (row) => row.deviceId, toClaimedDevice);
}

/** Moves a device to another group of its tenant (null: to none), or blocks it. `NotFound`. */
export async function updateDevice(
  context: Pick<ServiceContext, 'store'>,
  tenantId: string,
  deviceId: string,
  change: { readonly deviceGroupId?: string | null | undefined; readonly blocked?: boolean | undefined },
): Promise<ClaimedDevice> {
  return context.store.write(async (tx) => {
    const row = await selectDevice(tx, deviceId);
    if (row === undefined || row.tenantId !== tenantId) throw deviceNotFound(deviceId);
    if (typeof change.deviceGroupId === 'string') await getDeviceGroup(tx, tenantId, change.deviceGroupId);
    const next: DeviceRow = {
      ...row,
      deviceGroupId: change.deviceGroupId === undefined ? row.deviceGroupId : change.deviceGroupId,
      blocked: change.blocked === undefined ? row.blocked : Number(change.blocked),
    };
    await updateDeviceRow(tx, deviceId, next);
    return toClaimedDevice(next);
  });
}

/** A row as the rest of the service sees it. */
export function toClaimedDevice(row: DeviceRow): ClaimedDevice {
  return { ...row, blocked: row.blocked !== 0 };
}

function deviceNotFound(deviceId: string): ServiceError {
  return new ServiceError('NotFound', `There is no device "${deviceId}".`, { field: 'deviceId' });
}
