import { toHex } from '@sevenfold/formats';
import type { Caller } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import { insertAudit, selectAudit, updateAuditOutcome, type AuditRow } from './queries.ts';

/** A change that somebody asked for. */
export interface AuditedRequest {
  readonly principalId: string | null;
  readonly tenantId: string | null;
  /** Name of the route. */
  readonly operation: string;
  /** The path, which names what was to be changed. */
  readonly target: string;
  readonly requestId: string;
}

type AuditContext = Pick<ServiceContext, 'store' | 'clock' | 'entropy'>;

/**
 * Writes that a change was asked for, before it is made: a service that dies half-way leaves `started`. Resolves with
 * the entry's id; a trail that cannot be written stops the change.
 */
export async function beginAudit(
  context: AuditContext,
  request: AuditedRequest,
  outcome = 'started',
): Promise<string> {
  const time = context.clock.now();
  // Time first, so that ids sort as the trail happened; the rest keeps them apart within a millisecond.
  const entryId = `${time.toString(16).padStart(12, '0')}-${toHex(context.entropy.random(6))}`;
  await context.store.write((tx) => insertAudit(tx, { entryId, time, ...request, outcome }));
  return entryId;
}

/** Writes what came of it: `done`, or the code of the refusal. */
export async function endAudit(context: AuditContext, entryId: string, outcome: string): Promise<void> {
  await context.store.write((tx) => updateAuditOutcome(tx, entryId, outcome));
}

/** The trail as far as the caller may see it, newest first. */
export async function listAudit(
  context: Pick<ServiceContext, 'store'>,
  caller: Caller,
  page: { readonly limit?: number | undefined; readonly after?: string | undefined },
): Promise<{ items: AuditRow[]; next: string | null }> {
  const rows = await selectAudit(context.store.read, caller.tenantId, page.after, rowsToFetch(page));
  return toPage(
    rows,
    page,
    (row) => row.entryId,
    (row) => row,
  );
}
