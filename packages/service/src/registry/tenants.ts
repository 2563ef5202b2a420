import { guidFromRandom } from '@sevenfold/formats';
import type { Caller } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import {
  insertTenant,
  selectFirstTenant,
  selectTenant,
  selectTenantByName,
  selectTenants,
  type TenantRow,
} from './queries.ts';

/** A tenant: a group of devices and an isolation boundary. `createdAt` in ms since 1970. */
export type Tenant = Omit<TenantRow, 'nameKey' | 'sequence'>;

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
): Promise<Tenant> {
  const nameKey = nameKeyOf(name);
  if ((await selectTenantByName(context.store.read, nameKey)) !== undefined) throw nameTaken(name);
  const tenantId = guidFromRandom(context.entropy.random(16));
  await context.authorities.ensureTenantCa(tenantId);
  return context.store.write(async (tx) => {
    if ((await selectTenantByName(tx, nameKey)) !== undefined) throw nameTaken(name);
    const row = { tenantId, name, nameKey, createdAt: context.clock.now() };
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

function toTenant({ tenantId, name, createdAt }: Tenant): Tenant {
  return { tenantId, name, createdAt };
}

function nameTaken(name: string): ServiceError {
  return new ServiceError('AlreadyExists', `There is a tenant "${name}" already.`, {
    field: 'name',
    rule: 'unique, without regard to case',
  });
}
