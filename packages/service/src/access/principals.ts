import { ROLES, type Role } from '@sevenfold/api';
import type { Caller } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import { selectPrincipal, selectPrincipals, type PrincipalRow } from './queries.ts';

/** A caller with the key that proves it. */
export interface PrincipalWithKey extends Caller {
  readonly spki: Uint8Array;
}

/** The principal of that id, null where there is none. */
export async function findPrincipal(
  { store }: Pick<ServiceContext, 'store'>,
  principalId: string,
): Promise<PrincipalWithKey | null> {
  const row = await selectPrincipal(store.read, principalId);
  return row === undefined ? null : { ...toCaller(row), spki: row.spki };
}

/** Principals that the caller may see: its tenant's, or all. */
export async function listPrincipals(
  { store }: Pick<ServiceContext, 'store'>,
  caller: Caller,
  page: { readonly limit?: number | undefined; readonly after?: string | undefined },
): Promise<{ items: Caller[]; next: string | null }> {
  const rows = await selectPrincipals(store.read, caller.tenantId, page.after, rowsToFetch(page));
  return toPage(rows, page, (row) => row.principalId, toCaller);
}

export function toCaller(row: PrincipalRow): Caller {
  return {
    principalId: row.principalId,
    name: row.name,
    role: parseRole(row.role),
    tenantId: row.tenantId,
    createdAt: row.createdAt,
  };
}

/** A role as the database holds it: anything else is damage, and damage grants nothing. */
export function parseRole(stored: string): Role {
  const role = ROLES.find((known) => known === stored);
  if (role === undefined) throw new Error(`the database holds the unknown role "${stored}"`);
  return role;
}
