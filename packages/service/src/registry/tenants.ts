import { CHIP_SKUS, guidFromRandom, type ChipSkuName } from '@sevenfold/formats';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { Caller } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import type { Database } from '../store/database.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import {
  insertTenant,
  selectFirstTenant,
  selectTenant,
  selectTenantByName,
  selectTenants,
  updateTenantRow,
  type TenantRow,
} from './queries.ts';

/** A tenant: a group of devices and an isolation boundary. `createdAt` in ms since 1970. */
export interface Tenant {
  readonly tenantId: string;
  readonly name: string;
  /** Virtual silicon is nobody's to trust unless its owner says so: the SKUs that this tenant allows. */
  readonly allowedVirtualSkus: ChipSkuName[];
  readonly createdAt: number;
}

/** What an owner may decide about a tenant. */
export interface TenantSettings {
  readonly allowedVirtualSkus?: readonly ChipSkuName[] | undefined;
}

// `Object.keys` of a constant object: the names are exactly its keys. Every SKU of ours is virtual.
const VIRTUAL_SKU_NAMES = Object.keys(CHIP_SKUS) as [ChipSkuName, ...ChipSkuName[]];
const VIRTUAL_SKUS = z.array(z.enum(VIRTUAL_SKU_NAMES));

/** What making a tenant needs of the certificates: an authority of its own, made once however often it is asked for. */
export interface TenantAuthorities {
  ensureTenantCa(tenantId: string): Promise<unknown>;
}

/** Which part of a list is asked for. */
export interface PageRequest {
  readonly limit?: number | undefined;
  readonly after?: string | undefined;
}

/** Names are compared without case, and as one Unicode form. */
export function nameKeyOf(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

/**
 * Makes a tenant and its certificate authority. The authority first: a tenant that is seen has one; an authority
 * without a tenant harms nobody. `AlreadyExists` for a taken name.
 */
export async function createTenant(
  context: Pick<ServiceContext, 'store' | 'clock' | 'entropy'> & { readonly authorities: TenantAuthorities },
  name: string,
  settings: TenantSettings = {},
): Promise<Tenant> {
  const nameKey = nameKeyOf(name);
  if ((await selectTenantByName(context.store.read, nameKey)) !== undefined) throw nameTaken(name);
  const tenantId = guidFromRandom(context.entropy.random(16));
  await context.authorities.ensureTenantCa(tenantId);
  return context.store.write(async (tx) => {
    if ((await selectTenantByName(tx, nameKey)) !== undefined) throw nameTaken(name);
    const virtualSkus = writeSkus(settings.allowedVirtualSkus ?? []);
    const row = { tenantId, name, nameKey, virtualSkus, createdAt: context.clock.now() };
    await insertTenant(tx, row);
    return toTenant(row);
  });
}

/** The tenant, null where there is none. */
export async function findTenant(
  { store }: Pick<ServiceContext, 'store'>,
  tenantId: string,
): Promise<Tenant | null> {
  const row = await selectTenant(store.read, tenantId);
  return row === undefined ? null : toTenant(row);
}

/** The tenant that was made first, null before that. */
export async function findFirstTenant({ store }: Pick<ServiceContext, 'store'>): Promise<Tenant | null> {
  const row = await selectFirstTenant(store.read);
  return row === undefined ? null : toTenant(row);
}

/** The tenant, `NotFound` where there is none. */
export async function getTenant(context: Pick<ServiceContext, 'store'>, tenantId: string): Promise<Tenant> {
  const tenant = await findTenant(context, tenantId);
  if (tenant === null) {
    throw new ServiceError('NotFound', `There is no tenant "${tenantId}".`, { field: 'tenantId' });
  }
  return tenant;
}

/** Tenants that the caller may see, by id. */
export async function listTenants(
  { store }: Pick<ServiceContext, 'store'>,
  caller: Caller,
  page: PageRequest,
): Promise<{ items: Tenant[]; next: string | null }> {
  const rows = await selectTenants(store.read, caller.tenantId, {
    after: page.after,
    limit: rowsToFetch(page),
  });
  return toPage(rows, page, (row) => row.tenantId, toTenant);
}

/** Changes what its owner decides about a tenant. `NotFound`. */
export async function updateTenant(
  context: Pick<ServiceContext, 'store'>,
  tenantId: string,
  settings: TenantSettings,
): Promise<Tenant> {
  return context.store.write(async (tx) => {
    const row = await selectTenant(tx, tenantId);
    if (row === undefined) {
      throw new ServiceError('NotFound', `There is no tenant "${tenantId}".`, { field: 'tenantId' });
    }
    const allowed = settings.allowedVirtualSkus;
    const next = { ...row, virtualSkus: allowed === undefined ? row.virtualSkus : writeSkus(allowed) };
    await updateTenantRow(tx, tenantId, { virtualSkus: next.virtualSkus });
    return toTenant(next);
  });
}

/** Throws `ChipNotAllowed` for a chip that is virtual where its tenant does not allow that. */
export async function requireChipAllowed(
  db: Kysely<Database>,
  tenantId: string,
  chipSku: number,
): Promise<void> {
  const row = await selectTenant(db, tenantId);
  requireAmong(row === undefined ? [] : readSkus(row.virtualSkus), chipSku);
}

/** Throws `ChipNotAllowed` for a chip that is virtual and not among those that its tenant allows. */
export function requireAmong(allowed: readonly ChipSkuName[], chipSku: number): void {
  const virtual = VIRTUAL_SKU_NAMES.find((name) => CHIP_SKUS[name] === chipSku);
  if (virtual === undefined || allowed.includes(virtual)) return;
  throw new ServiceError('ChipNotAllowed', `The tenant allows no virtual chips of the SKU ${virtual}.`, {
    field: 'deviceId',
    rule: 'an Administrator allows the SKU in the tenant’s settings',
  });
}

function toTenant({
  tenantId,
  name,
  virtualSkus,
  createdAt,
}: Omit<TenantRow, 'nameKey' | 'sequence'>): Tenant {
  return { tenantId, name, allowedVirtualSkus: readSkus(virtualSkus), createdAt };
}

/** The virtual chips that a tenant allows, as its row keeps them. */
export function readSkus(json: string): ChipSkuName[] {
  return VIRTUAL_SKUS.parse(JSON.parse(json));
}

function writeSkus(skus: readonly ChipSkuName[]): string {
  return JSON.stringify([...new Set(skus)].toSorted());
}

function nameTaken(name: string): ServiceError {
  return new ServiceError('AlreadyExists', `There is a tenant "${name}" already.`, {
    field: 'name',
    rule: 'unique, without regard to case',
  });
}
