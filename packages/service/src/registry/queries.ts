import type { Kysely, Selectable, Updateable } from 'kysely';
import type { Database } from '../store/database.ts';
import { prepareFor } from '../store/prepared-query.ts';
import type { RegistryTables } from './schema.ts';

export type TenantRow = Selectable<RegistryTables['tenants']>;
export type ProductRow = Selectable<RegistryTables['products']>;
export type DeviceGroupRow = Selectable<RegistryTables['deviceGroups']>;
export type DeviceRow = Selectable<RegistryTables['devices']>;
type Db = Kysely<Database>;

/** Where a page begins and how many rows it fetches. */
export interface Slice {
  readonly after: string | undefined;
  readonly limit: number;
}

export function selectTenant(db: Db, tenantId: string): Promise<TenantRow | undefined> {
  return db.selectFrom('tenants').selectAll().where('tenantId', '=', tenantId).executeTakeFirst();
}

export function selectTenantByName(db: Db, nameKey: string): Promise<TenantRow | undefined> {
  return db.selectFrom('tenants').selectAll().where('nameKey', '=', nameKey).executeTakeFirst();
}

/** All tenants, or the one that a caller belongs to. */
export function selectTenants(db: Db, only: string | null, slice: Slice): Promise<TenantRow[]> {
  let query = db.selectFrom('tenants').selectAll().orderBy('tenantId').limit(slice.limit);
  if (only !== null) query = query.where('tenantId', '=', only);
  if (slice.after !== undefined) query = query.where('tenantId', '>', slice.after);
  return query.execute();
}

export function selectFirstTenant(db: Db): Promise<TenantRow | undefined> {
  return db.selectFrom('tenants').selectAll().orderBy('sequence').limit(1).executeTakeFirst();
}

/** Inserts a tenant behind all others: clocks may stand still, so time does not say which one came first. */
export async function insertTenant(db: Db, row: Omit<TenantRow, 'sequence'>): Promise<void> {
  const { last } = await db
    .selectFrom('tenants')
    .select((select) => select.fn.max('sequence').as('last'))
    .executeTakeFirstOrThrow();
  await db
    .insertInto('tenants')
    .values({ ...row, sequence: (last ?? 0) + 1 })
    .execute();
}

export async function updateTenantRow(
  db: Db,
  tenantId: string,
  change: Updateable<RegistryTables['tenants']>,
): Promise<void> {
  await db.updateTable('tenants').set(change).where('tenantId', '=', tenantId).execute();
}

export function selectProduct(db: Db, tenantId: string, productId: string): Promise<ProductRow | undefined> {
  return db
    .selectFrom('products')
    .selectAll()
    .where('productId', '=', productId)
    .where('tenantId', '=', tenantId)
    .executeTakeFirst();
}

export function selectProductByName(
  db: Db,
  tenantId: string,
  nameKey: string,
): Promise<ProductRow | undefined> {
  return db
    .selectFrom('products')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .where('nameKey', '=', nameKey)
    .executeTakeFirst();
}

export function selectProducts(db: Db, tenantId: string, slice: Slice): Promise<ProductRow[]> {
  let query = db
    .selectFrom('products')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .orderBy('productId')
    .limit(slice.limit);
  if (slice.after !== undefined) query = query.where('productId', '>', slice.after);
  return query.execute();
}

export async function insertProduct(db: Db, row: ProductRow): Promise<void> {
  await db.insertInto('products').values(row).execute();
}

export function selectDeviceGroup(db: Db, deviceGroupId: string): Promise<DeviceGroupRow | undefined> {
  return db
    .selectFrom('deviceGroups')
    .selectAll()
    .where('deviceGroupId', '=', deviceGroupId)
    .executeTakeFirst();
}

export function selectDeviceGroupByName(
  db: Db,
  productId: string,
  nameKey: string,
): Promise<DeviceGroupRow | undefined> {
  return db
    .selectFrom('deviceGroups')
    .selectAll()
    .where('productId', '=', productId)
    .where('nameKey', '=', nameKey)
    .executeTakeFirst();
}

export function selectDeviceGroups(db: Db, tenantId: string, slice: Slice): Promise<DeviceGroupRow[]> {
  let query = db
    .selectFrom('deviceGroups')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .orderBy('deviceGroupId')
    .limit(slice.limit);
  if (slice.after !== undefined) query = query.where('deviceGroupId', '>', slice.after);
  return query.execute();
}

export async function insertDeviceGroup(db: Db, row: DeviceGroupRow): Promise<void> {
  await db.insertInto('deviceGroups').values(row).execute();
}

export async function updateDeviceGroupRow(
  db: Db,
  deviceGroupId: string,
  change: Updateable<RegistryTables['deviceGroups']>,
): Promise<void> {
  await db.updateTable('deviceGroups').set(change).where('deviceGroupId', '=', deviceGroupId).execute();
}

export function selectDevice(db: Db, deviceId: string): Promise<DeviceRow | undefined> {
  return db.selectFrom('devices').selectAll().where('deviceId', '=', deviceId).executeTakeFirst();
}

export function selectDevices(
  db: Db,
  tenantId: string,
  deviceGroupId: string | undefined,
  slice: Slice,
): Promise<DeviceRow[]> {
  let query = db
    .selectFrom('devices')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .orderBy('deviceId')
    .limit(slice.limit);
  if (deviceGroupId !== undefined) query = query.where('deviceGroupId', '=', deviceGroupId);
  if (slice.after !== undefined) query = query.where('deviceId', '>', slice.after);
  return query.execute();
}

export async function insertDevice(db: Db, row: DeviceRow): Promise<void> {
  await db.insertInto('devices').values(row).execute();
}

export async function updateDeviceRow(
  db: Db,
  deviceId: string,
  change: Updateable<RegistryTables['devices']>,
): Promise<void> {
  await db.updateTable('devices').set(change).where('deviceId', '=', deviceId).execute();
}

export async function deleteDevice(db: Db, deviceId: string): Promise<void> {
  await db.deleteFrom('devices').where('deviceId', '=', deviceId).execute();
}

export async function replaceReleased(
  db: Db,
  row: Selectable<RegistryTables['releasedDevices']>,
): Promise<void> {
  const { deviceId: _key, ...rest } = row;
  await db
    .insertInto('releasedDevices')
    .values(row)
    .onConflict((conflict) => conflict.column('deviceId').doUpdateSet(rest))
    .execute();
}

export async function deleteReleased(db: Db, deviceId: string): Promise<void> {
  await db.deleteFrom('releasedDevices').where('deviceId', '=', deviceId).execute();
}

export async function isReleased(db: Db, deviceId: string): Promise<boolean> {
  const row = await db
    .selectFrom('releasedDevices')
    .select('deviceId')
    .where('deviceId', '=', deviceId)
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * An endorsed chip by the name that its evidence uses, with everything that attesting wants to know of it: one
 * look-up in place of five, over the endorsements of `manufacturing`, too (docs/decisions/0012).
 */
export const selectAttester = prepareFor<{ readonly evidenceName: string }>()((db, parameter) =>
  db
    .selectFrom('endorsements')
    .leftJoin('devices', 'devices.deviceId', 'endorsements.deviceId')
    .leftJoin('tenants', 'tenants.tenantId', 'devices.tenantId')
    .leftJoin('deviceGroups', 'deviceGroups.deviceGroupId', 'devices.deviceGroupId')
    .leftJoin('releasedDevices', 'releasedDevices.deviceId', 'endorsements.deviceId')
    .select([
      'endorsements.deviceId',
      'endorsements.spki',
      'endorsements.chipSku',
      'devices.tenantId',
      'devices.deviceGroupId',
      'devices.blocked',
      'tenants.virtualSkus',
      'deviceGroups.osFeed',
      'releasedDevices.releasedAt',
    ])
    .where('endorsements.evidenceName', '=', parameter('evidenceName')),
);
