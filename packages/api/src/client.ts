import { toBase64Url, utf8DecodeLossy, utf8Encode } from '@sevenfold/formats';
import type { Route, RouteInput } from './contract.ts';
import { ApiError, clientError } from './errors.ts';
import { problem } from './primitives.ts';
import type { RequestSigner } from './request-signer.ts';

/** One exchange over whatever carries HTTP; rejects when there was no answer. */
export type HttpTransport = (request: HttpRequest) => Promise<HttpResponse>;
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
}
export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface ClientOptions {
  /** Such as `https://localhost:8443`; its origin is what requests are signed for. */
  readonly baseUrl: string;
  readonly transport: HttpTransport;
  /** Null: only public routes answer. */
  readonly signer: RequestSigner | null;
  /** Milliseconds since 1970; the machine's clock unless given. */
  readonly now?: () => number;
}

/** The typed client: a call is a route and its input. Rejects with `ApiError`. */
export interface Client {
  call<Params, Query, Body, Reply>(
    route: Route<Params, Query, Body, Reply>,
    ...input: Record<string, never> extends RouteInput<Params, Query, Body>
      ? [input?: RouteInput<Params, Query, Body>]
      : [input: RouteInput<Params, Query, Body>]
  ): Promise<Reply>;
}

/** Seconds for which a request's token is good; the service allows 60 at most. */
const TOKEN_SECONDS = 45;
/** Clocks differ: a token begins to be good a little earlier. */
const TOKEN_BACKDATE_SECONDS = 10;

/** Makes a client; nothing is sent before the first call. */
export function createClient(options: ClientOptions): Client {
  const origin = new URL(options.baseUrl).origin;
  const now = options.now ?? Date.now;

  return {
    async call(route, ...[input]) {
      const target = targetOf(route, input ?? {});
      const { body, contentType } = encodeBody(route, input?.body);
      const headers: Record<string, string> = { accept: 'application/json' };
      if (contentType !== null) headers['content-type'] = contentType;
      if (options.signer !== null && route.permission !== 'public') {
        const iat = Math.floor(now() / 1000) - TOKEN_BACKDATE_SECONDS;
        const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(body ?? []));
        const claims = { aud: origin, htm: route.method, htu: target, iat, exp: iat + TOKEN_SECONDS };
        const token = await options.signer({
          ...claims,
          bh: toBase64Url(new Uint8Array(digest)),
          jti: crypto.randomUUID(),
        });
        headers['authorization'] = `Bearer ${token}`;
      }
      let response: HttpResponse;
      try {
        response = await options.transport({
          method: route.method,
          url: `${origin}${target}`,
          headers,
          body,
        });
      } catch (cause) {
        if (cause instanceof ApiError) throw cause;
        const reason = cause instanceof Error ? cause.message : 'unknown reason';
        throw clientError('Unreachable', `${origin} does not answer: ${reason}`, cause);
      }
      return readReply(route, response);
    },
  };
}

/** Path and query of a call, each value escaped (RFC 3986). */
function targetOf(route: Route, input: { readonly params?: unknown; readonly query?: unknown }): string {
  const params = textEntries(input.params);
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params.get(name);
    if (value === undefined) throw clientError('InvalidCall', `${route.name} needs the parameter "${name}".`);
    return encodeURIComponent(value);
  });
  const query = new URLSearchParams([...textEntries(input.query)]).toString();
  return query === '' ? path : `${path}?${query}`;
}

function textEntries(values: unknown): Map<string, string> {
  const entries = Object.entries(values ?? {}).filter(([, value]) => value !== undefined);
  return new Map(entries.map(([name, value]) => [name, String(value)]));
}

function encodeBody(route: Route, body: unknown): { body: Uint8Array | null; contentType: string | null } {
  switch (route.body.kind) {
    case 'none':
      return { body: null, contentType: null };
    case 'json':
      return { body: utf8Encode(JSON.stringify(body)), contentType: 'application/json' };
    case 'bytes':
      if (!(body instanceof Uint8Array))
        throw clientError('InvalidCall', `${route.name} needs bytes as its body.`);
      return { body, contentType: 'application/octet-stream' };
    default:
      return route.body satisfies never;
  }
}

function readReply<Reply>(route: Route<unknown, unknown, unknown, Reply>, response: HttpResponse): Reply {
  let untrusted: unknown;
  try {
    untrusted = JSON.parse(utf8DecodeLossy(response.body));
  } catch (cause) {
    throw clientError(
      'InvalidReply',
      `The answer to ${route.name} (status ${response.status}) is not JSON.`,
      cause,
    );
  }
  if (response.status !== route.status) {
    const refused = problem.safeParse(untrusted);
    if (refused.success) throw new ApiError({ ...refused.data, status: response.status });
    throw clientError(
      'InvalidReply',
      `The answer to ${route.name} has status ${response.status} and no problem details.`,
    );
  }
  const reply = route.reply.safeParse(untrusted);
  if (reply.success) return reply.data;
  throw clientError(
    'InvalidReply',
    `The answer to ${route.name} is not as agreed: ${reply.error.message}`,
    reply.error,
  );
}
