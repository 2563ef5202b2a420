import type { Role, Route, RouteName, ROUTES } from '@sevenfold/api';
import { ServiceError } from '../service-error.ts';

/** Who calls: proved by the signature on the request. `tenantId` null: of the whole service. */
export interface Caller {
  readonly principalId: string;
  readonly name: string;
  readonly role: Role;
  readonly tenantId: string | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** A request after everything about it was checked: signature, role, tenant, schemas. */
export interface HandlerRequest<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Null on public routes alone. */
  readonly caller: Caller | null;
  readonly requestId: string;
}

/** What answers a route. Its reply is checked against the route's schema before it leaves. */
type Handler<R> =
  R extends Route<infer Params, infer Query, infer Body, infer Reply>
    ? (request: HandlerRequest<Params, Query, Body>) => Promise<Reply> | Reply
    : never;

/**
 * One handler a route. A capability's `routes.ts` answers its part – `Pick<Handlers, 'tenants' | …>` – and the
 * service is complete when the parts make the whole.
 */
export type Handlers = { readonly [Name in RouteName]: Handler<(typeof ROUTES)[Name]> };

/** The caller of a route that is not public. */
export function callerOf(request: { readonly caller: Caller | null }): Caller {
  if (request.caller === null) throw new ServiceError('Unauthenticated', 'This needs a signed request.');
  return request.caller;
}

/** Moments leave the service as RFC 3339 in UTC; inside they are milliseconds since 1970. */
export function toTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
