import type { z } from 'zod';

/** What a person or machine may do, least first: each role may do what the ones before it may. */
export const ROLES = ['Reader', 'Contributor', 'Administrator'] as const;
export type Role = (typeof ROLES)[number];

/** The least role that may call a route; `public` needs no authentication. */
export type Permission = 'public' | Role;

/**
 * Whose principals may call. `tenant`: of the tenant in the path (others are told `NotFound`) and of the whole
 * service. `service`: of the whole service alone. `any`: of both; what a tenant's principal sees is its tenant's.
 */
export type Scope = 'any' | 'tenant' | 'service';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH';

/** What a request carries: nothing, JSON by a schema, or bytes as they are. Sizes in bytes. */
export type BodyKind<Body> =
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly schema: z.ZodType<Body>; readonly mostBytes: number }
  | { readonly kind: 'bytes'; readonly mostBytes: number };

/**
 * A route as one value: it yields the server's typed handler, the client's typed call, the access check and its part
 * of the OpenAPI document. `undefined` stands for a part that the route does not have.
 */
export interface Route<Params = unknown, Query = unknown, Body = unknown, Reply = unknown> {
  /** OpenAPI's `operationId`. */
  readonly name: string;
  readonly summary: string;
  readonly method: Method;
  /** With `{parameter}` segments, as in OpenAPI. */
  readonly path: string;
  readonly permission: Permission;
  readonly scope: Scope;
  readonly params: z.ZodType<Params> | null;
  readonly query: z.ZodType<Query> | null;
  readonly body: BodyKind<Body>;
  readonly reply: z.ZodType<Reply>;
  /** Of a reply that is not a problem. */
  readonly status: 200 | 201;
}

/** What a caller hands in: parts that the route does not have need not be named. */
export type RouteInput<Params, Query, Body> = ([Params] extends [undefined]
  ? { readonly params?: undefined }
  : { readonly params: Params }) &
  ([Query] extends [undefined] ? { readonly query?: undefined } : { readonly query?: Query }) &
  ([Body] extends [undefined] ? { readonly body?: undefined } : { readonly body: Body });

const NO_BODY = { kind: 'none' } as const;

/** Makes a route value; see `Route` for the parts. */
export function defineRoute<Reply, Params = undefined, Query = undefined, Body = undefined>(parts: {
  readonly name: string;
  readonly summary: string;
  readonly method: Method;
  readonly path: string;
  readonly permission: Permission;
  readonly scope: Scope;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: BodyKind<Body>;
  readonly reply: z.ZodType<Reply>;
  readonly status?: 200 | 201;
}): Route<Params, Query, Body, Reply> {
  return Object.freeze({
    ...parts,
    params: parts.params ?? null,
    query: parts.query ?? null,
    body: parts.body ?? NO_BODY,
    status: parts.status ?? 200,
  });
}

/** A JSON body by a schema; at most 64 KiB unless said otherwise. */
export function json<Body>(schema: z.ZodType<Body>, mostBytes = 64 * 1024): BodyKind<Body> {
  return { kind: 'json', schema, mostBytes };
}

/** A body of bytes (`application/octet-stream`). */
export function octets(mostBytes: number): BodyKind<Uint8Array> {
  return { kind: 'bytes', mostBytes };
}
