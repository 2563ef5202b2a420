import type { OsFeed, UpdatePolicy } from '@sevenfold/api';
import { guidFromRandom } from '@sevenfold/formats';
import type { Kysely } from 'kysely';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import {
  insertDeviceGroup,
  selectDeviceGroup,
  selectDeviceGroupByName,
  selectDeviceGroups,
  selectProduct,
  updateDeviceGroupRow,
  type DeviceGroupRow,
} from './queries.ts';
import { nameKeyOf, type PageRequest } from './tenants.ts';

/** Devices of a product that are told the same. `createdAt` in ms since 1970. */
export interface DeviceGroup {
  readonly deviceGroupId: string;
  readonly tenantId: string;
  readonly productId: string;
  readonly name: string;
  readonly description: string;
  readonly osFeed: OsFeed;
  readonly updatePolicy: UpdatePolicy;
  readonly createdAt: number;
}

/** What a group says about its devices; absent is unchanged. */
export interface DeviceGroupChange {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly osFeed?: OsFeed | undefined;
  readonly updatePolicy?: UpdatePolicy | undefined;
}

/** Makes a group: feed `Retail` and policy `UpdateAll` unless said otherwise. `NotFound`, `AlreadyExists`. */
export async function createDeviceGroup(
  context: Pick<ServiceContext, 'store' | 'clock' | 'entropy'>,
  tenantId: string,
  group: DeviceGroupChange & { readonly productId: string; readonly name: string },
): Promise<DeviceGroup> {
  const row: DeviceGroupRow = {
    deviceGroupId: guidFromRandom(context.entropy.random(16)),
    tenantId,
    productId: group.productId,
    name: group.name,
    nameKey: nameKeyOf(group.name),
    description: group.description ?? '',
    osFeed: group.osFeed ?? 'Retail',
    updatePolicy: group.updatePolicy ?? 'UpdateAll',
    createdAt: context.clock.now(),
  };
  await context.store.write(async (tx) => {
    if ((await selectProduct(tx, tenantId, group.productId)) === undefined) {
      throw new ServiceError('NotFound', `There is no product "${group.productId}".`, { field: 'productId' });
    }
    await refuseTakenName(tx, row);
    await insertDeviceGroup(tx, row);
  });
  return toDeviceGroup(row);
}

/** Changes a group. `NotFound`, `AlreadyExists` for a name that its product has already. */
export async function updateDeviceGroup(
  context: Pick<ServiceContext, 'store'>,
  tenantId: string,
  deviceGroupId: string,
  change: DeviceGroupChange,
): Promise<DeviceGroup> {
  return context.store.write(async (tx) => {
    const row = await selectDeviceGroup(tx, deviceGroupId);
    if (row === undefined || row.tenantId !== tenantId) throw deviceGroupNotFound(deviceGroupId);
    const next: DeviceGroupRow = {
      ...row,
      name: change.name ?? row.name,
      nameKey: nameKeyOf(change.name ?? row.name),
      description: change.description ?? row.description,
      osFeed: change.osFeed ?? row.osFeed,
      updatePolicy: change.updatePolicy ?? row.updatePolicy,
    };
    await refuseTakenName(tx, next);
    await updateDeviceGroupRow(tx, deviceGroupId, next);
    return toDeviceGroup(next);
  });
}

/** The group, null where there is none. Inside of a work, `db` is its transaction. */
export async function findDeviceGroup(
  db: Kysely<Database>,
  deviceGroupId: string,
): Promise<DeviceGroup | null> {
  const row = await selectDeviceGroup(db, deviceGroupId);
  return row === undefined ? null : toDeviceGroup(row);
}

/** The tenant's group; `NotFound` for that of another. */
export async function getDeviceGroup(
  db: Kysely<Database>,
  tenantId: string,
  deviceGroupId: string,
): Promise<DeviceGroup> {
  const group = await findDeviceGroup(db, deviceGroupId);
  if (group === null || group.tenantId !== tenantId) throw deviceGroupNotFound(deviceGroupId);
  return group;
}

/** Groups of a tenant, by id. */
export async function listDeviceGroups(
  { store }: Pick<ServiceContext, 'store'>,
  tenantId: string,
  page: PageRequest,
): Promise<{ items: DeviceGroup[]; next: string | null }> {
  const rows = await selectDeviceGroups(store.read, tenantId, {
    after: page.after,
    limit: rowsToFetch(page),
  });
  return toPage(rows, page, (row) => row.deviceGroupId, toDeviceGroup);
}

async function refuseTakenName(tx: Kysely<Database>, row: DeviceGroupRow): Promise<void> {
  const other = await selectDeviceGroupByName(tx, row.productId, row.nameKey);
  if (other === undefined || other.deviceGroupId === row.deviceGroupId) return;
  throw new ServiceError('AlreadyExists', `There is a device group "${row.name}" already.`, {
    field: 'name',
    rule: 'unique in the product, without regard to case',
  });
}

function deviceGroupNotFound(deviceGroupId: string): ServiceError {
  return new ServiceError('NotFound', `There is no device group "${deviceGroupId}".`, {
    field: 'deviceGroupId',
  });
}

function toDeviceGroup(row: DeviceGroupRow): DeviceGroup {
  const { deviceGroupId, tenantId, productId, name, description, osFeed, updatePolicy, createdAt } = row;
  return {
    deviceGroupId,
    tenantId,
    productId,
    name,
    description,
    osFeed: parseFeed(osFeed),
    updatePolicy: parsePolicy(updatePolicy),
    createdAt,
  };
}

/** A feed as the database holds it. */
export function parseFeed(stored: string): OsFeed {
  if (stored === 'Retail' || stored === 'RetailEval') return stored;
  throw new Error(`the database holds the unknown OS feed "${stored}"`);
}

function parsePolicy(stored: string): UpdatePolicy {
  if (stored === 'UpdateAll' || stored === 'No3rdPartyAppUpdates') return stored;
  throw new Error(`the database holds the unknown update policy "${stored}"`);
}
