import { createHash } from 'node:crypto';
import { toBase64Url } from '@sevenfold/formats';
import type { Route } from '@sevenfold/api';
import type { z } from 'zod';
import { refusal } from '../access/request-token.ts';
import { ServiceError } from '../service-error.ts';

/** Parts of a request as they came. */
export interface RawInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: Uint8Array;
}

/** The same parts as the route's schemas let them in. */
export interface ParsedInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** Refuses a body that is not the one that was signed. */
export function checkBodyHash(body: Uint8Array, signedHash: string): void {
  const hash = toBase64Url(new Uint8Array(createHash('sha256').update(body).digest()));
  if (hash !== signedHash) throw refusal('the token was made for another body', 'bh');
}

/** Refuses a content type that the route does not take, before the body is read. */
export function checkContentType(route: Route, header: string | undefined): void {
  const wanted = { none: null, json: 'application/json', bytes: 'application/octet-stream' }[route.body.kind];
  if (wanted === null) return;
  const type = header?.split(';')[0]?.trim().toLowerCase();
  if (type === wanted) return;
  throw new ServiceError('UnsupportedMediaType', `This route takes ${wanted}.`, {
    field: 'content-type',
    rule: wanted,
  });
}

/** Parses everything once, strictly. `InvalidRequest` and `MalformedJson` name the field and the rule. */
export function parseInput(route: Route, raw: RawInput): ParsedInput {
  return {
    params: route.params === null ? undefined : parsePart(route.params, raw.params),
    query: route.query === null ? refuseQuery(raw.query) : parsePart(route.query, raw.query),
    body: parseBody(route, raw.body),
  };
}

function parseBody(route: Route, body: Uint8Array): unknown {
  switch (route.body.kind) {
    case 'none':
      return undefined;
    case 'bytes':
      return body;
    case 'json':
      return parsePart(route.body.schema, parseJson(body));
    default:
      return route.body satisfies never;
  }
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new ServiceError('MalformedJson', 'The body is not JSON.', { rule: 'RFC 8259, in UTF-8', cause });
  }
}

function refuseQuery(query: unknown): undefined {
  const name = Object.keys(query ?? {})[0];
  if (name === undefined) return undefined;
  throw new ServiceError('InvalidRequest', `This route has no parameter "${name.slice(0, 64)}".`, {
    field: name.slice(0, 64),
    rule: 'no query',
  });
}

function parsePart(schema: z.ZodType, untrusted: unknown): unknown {
  const result = schema.safeParse(untrusted);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const unknownKey = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknownKey === undefined ? [] : [unknownKey])]
    .map(String)
    .join('.');
  const field = path.slice(0, 200);
  const rule =
    unknownKey === undefined
      ? (issue?.message ?? 'as the contract says')
      : 'only fields that the contract names';
  throw new ServiceError(
    'InvalidRequest',
    `${field === '' ? 'The request' : `"${field}"`} is not valid: ${rule}.`,
    {
      ...(field === '' ? {} : { field }),
      rule,
    },
  );
}
