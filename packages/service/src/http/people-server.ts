import { ALL_ROUTES, type Route } from '@sevenfold/api';
import { toHex } from '@sevenfold/formats';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { beginAudit, endAudit } from '../access/audit.ts';
import { authorise } from '../access/authorise.ts';
import { authenticateRequest } from '../access/request-token.ts';
import { SpentTokens } from '../access/spent-tokens.ts';
import { getTenant } from '../registry/tenants.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { answerBrokenRequest } from './broken-request.ts';
import type { Caller, HandlerRequest, Handlers } from './handlers.ts';
import { answerOddRequests } from './odd-requests.ts';
import { isInternal, problemOf } from './problems.ts';
import { RateLimiter, type RateLimit } from './rate-limit.ts';
import { checkBodyHash, checkContentType, parseInput } from './request-input.ts';

/** What the server does to those who are slow or many. Times in ms. */
export interface ServerLimits {
  /** From the first byte of a request to the end of its headers, and to the end of its body. */
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  /** How long a TLS handshake may take, and how long a connection may be silent. */
  readonly handshakeTimeout: number;
  readonly connectionTimeout: number;
  readonly keepAliveTimeout: number;
  readonly mostConnections: number;
  /** Of one address: refused authentications and calls of public routes that change something. */
  readonly refusals: RateLimit;
  /** Of one principal. */
  readonly requests: RateLimit;
}

const DEFAULT_LIMITS: ServerLimits = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  handshakeTimeout: 10_000,
  connectionTimeout: 70_000,
  keepAliveTimeout: 20_000,
  mostConnections: 1000,
  refusals: { burst: 30, perSecond: 0.5 },
  requests: { burst: 400, perSecond: 50 },
};

export interface PeopleServerOptions {
  readonly context: Pick<ServiceContext, 'store' | 'clock' | 'entropy' | 'log'>;
  readonly handlers: Handlers;
  /** PEM; the chain leaf first. */
  readonly tls: { readonly key: string; readonly cert: string };
  /** Origins that a request may be signed for. Asked at each request: the port may be known late. */
  readonly audiences: () => readonly string[];
  readonly limits?: Partial<ServerLimits>;
}

/** What the hooks find out about a request on its way to the handler. */
interface RequestFacts {
  readonly caller: Caller | null;
  readonly signedBodyHash: string | null;
}

/** The https server for people and their tools: the contract's routes and nothing else. */
export function createPeopleServer(options: PeopleServerOptions): FastifyInstance {
  const { context, handlers } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const app = fastify({
    https: {
      key: options.tls.key,
      cert: options.tls.cert,
      minVersion: 'TLSv1.2',
      handshakeTimeout: limits.handshakeTimeout,
      headersTimeout: limits.headersTimeout,
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeout),
      maxHeaderSize: 16 * 1024,
      requireHostHeader: false,
    },
    requestTimeout: limits.requestTimeout,
    connectionTimeout: limits.connectionTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 256 },
    genReqId: () => toHex(context.entropy.random(8)),
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, request, reply) => {
      sendProblem(context, request, reply, error);
    },
  });
  app.server.maxConnections = limits.mostConnections;
  const refusals = new RateLimiter(limits.refusals, context.clock);
  const requests = new RateLimiter(limits.requests, context.clock);
  const spent = new SpentTokens(context.clock);
  const facts = new WeakMap<FastifyRequest, RequestFacts>();

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', 'application/octet-stream'],
    { parseAs: 'buffer' },
    (_, body, done) => done(null, body),
  );
  app.addHook('onRequest', async (_, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  });
  answerOddRequests(app, answerBrokenRequest);
  app.addHook('onResponse', async (request, reply) => logAnswer(context, request, reply, facts.get(request)));
  app.setErrorHandler((error, request, reply) => sendProblem(context, request, reply, error));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(context, request, reply, refuseUnknown(request, reply)),
  );

  for (const [name, route] of ALL_ROUTES) {
    // Name and handler come from the same table: the handler of a route takes what its schemas let in.
    const handler = handlers[name] as unknown as (
      request: HandlerRequest<unknown, unknown, unknown>,
    ) => unknown;
    app.route({
      method: route.method,
      url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      bodyLimit: route.body.kind === 'none' ? 1024 : route.body.mostBytes,
      // Who may call is settled before a byte of the body is read.
      onRequest: async (request, reply) => {
        facts.set(request, await admit(options, route, request, reply, { refusals, requests, spent }));
        checkContentType(route, request.headers['content-type']);
      },
      handler: async (request, reply) => {
        const { caller, signedBodyHash } = facts.get(request) ?? { caller: null, signedBodyHash: null };
        const body = request.body instanceof Uint8Array ? new Uint8Array(request.body) : new Uint8Array();
        if (signedBodyHash !== null) checkBodyHash(body, signedBodyHash);
        const input = parseInput(route, { params: request.params, query: request.query, body });
        const tenantId = paramOf(request, 'tenantId');
        if (tenantId !== undefined) await getTenant(context, tenantId);
        const answer = await audited(context, route, request, caller, async () =>
          handler({ ...input, caller, requestId: request.id }),
        );
        // Checked on the way out, too: what the contract does not name does not leave.
        return reply
          .code(route.status)
          .type('application/json; charset=utf-8')
          .send(JSON.stringify(route.reply.parse(answer)));
      },
    });
  }
  return app;
}

/** Authenticates and authorises a request; counts what it refuses, so that guessing is slow. */
async function admit(
  { context, audiences }: PeopleServerOptions,
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  limiters: {
    readonly refusals: RateLimiter;
    readonly requests: RateLimiter;
    readonly spent: SpentTokens;
  },
): Promise<RequestFacts> {
  refuseWhileLimited(limiters.refusals, request.ip, reply);
  if (route.permission === 'public') {
    if (route.method !== 'GET') limiters.refusals.take(request.ip);
    return { caller: null, signedBodyHash: null };
  }
  const { method, url, headers } = request;
  try {
    const { principal, bodyHash, token, until } = await authenticateRequest(context, audiences(), {
      authorization: headers.authorization,
      method,
      target: url,
    });
    if (route.method !== 'GET') limiters.spent.spend(token, until);
    const { principalId, name, role, tenantId, createdAt } = principal;
    refuseWhileLimited(limiters.requests, principalId, reply);
    limiters.requests.take(principalId);
    const caller = { principalId, name, role, tenantId, createdAt };
    authorise(route, caller, paramOf(request, 'tenantId'));
    return { caller, signedBodyHash: bodyHash };
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'Unauthenticated') {
      limiters.refusals.take(request.ip);
      reply.header('www-authenticate', 'Bearer');
    }
    throw error;
  }
}

function refuseWhileLimited(limiter: RateLimiter, key: string, reply: FastifyReply): void {
  const seconds = limiter.wait(key);
  if (seconds === 0) return;
  reply.header('retry-after', String(seconds));
  throw new ServiceError('TooManyRequests', 'There were too many requests.', {
    rule: `again in ${seconds} s`,
  });
}

/** Runs a change between the two halves of its audit entry; reading leaves none. */
async function audited(
  context: PeopleServerOptions['context'],
  route: Route,
  request: FastifyRequest,
  caller: Caller | null,
  change: () => Promise<unknown>,
): Promise<unknown> {
  if (route.method === 'GET') return change();
  const entry = {
    principalId: caller?.principalId ?? null,
    tenantId: paramOf(request, 'tenantId') ?? caller?.tenantId ?? null,
    operation: route.name,
    target: request.url.slice(0, 300),
    requestId: request.id,
  };
  if (caller === null) {
    // Nobody yet: only what succeeds is kept, or a stranger could fill the disk.
    const answer = await change();
    await beginAudit(context, entry, 'done');
    return answer;
  }
  const entryId = await beginAudit(context, entry);
  try {
    const answer = await change();
    await endAudit(context, entryId, 'done');
    return answer;
  } catch (error) {
    await endAudit(context, entryId, problemOf(error, request.id).code);
    throw error;
  }
}

/** A path that nobody serves is 404; one that is served otherwise is 405 with the methods it has. */
function refuseUnknown(request: FastifyRequest, reply: FastifyReply): ServiceError {
  const path = request.url.split('?')[0] ?? '';
  const methods = ALL_ROUTES.filter(([, route]) => matches(route.path, path)).map(
    ([, route]) => route.method,
  );
  if (methods.length === 0) {
    return new ServiceError('RouteNotFound', 'There is nothing here.', {
      rule: 'the paths of /openapi.json',
    });
  }
  reply.header('allow', methods.join(', '));
  return new ServiceError('MethodNotAllowed', `${request.method} is not possible here.`, {
    rule: methods.join(', '),
  });
}

function matches(pattern: string, path: string): boolean {
  const segments = path.split('/');
  const wanted = pattern.split('/');
  return (
    wanted.length === segments.length &&
    wanted.every((part, index) => part.startsWith('{') || part === segments[index])
  );
}

function sendProblem(
  context: PeopleServerOptions['context'],
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): FastifyReply {
  const problem = problemOf(error, request.id);
  if (isInternal(problem))
    context.log.error({ requestId: request.id, code: problem.code }, 'a request failed', error);
  return reply
    .code(problem.status)
    .type('application/problem+json; charset=utf-8')
    .send(JSON.stringify(problem));
}

function logAnswer(
  context: PeopleServerOptions['context'],
  request: FastifyRequest,
  reply: FastifyReply,
  facts: RequestFacts | undefined,
): void {
  const fields = {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? null,
    status: reply.statusCode,
    milliseconds: Math.round(reply.elapsedTime),
    principalId: facts?.caller?.principalId ?? null,
    tenantId: paramOf(request, 'tenantId') ?? null,
    deviceId: paramOf(request, 'deviceId') ?? null,
  };
  context.log.info(fields, 'answered');
}

/** A path parameter, bounded: it goes into logs before its schema has seen it. */
function paramOf(request: FastifyRequest, name: string): string | undefined {
  const { params } = request;
  if (typeof params !== 'object' || params === null) return undefined;
  const value: unknown = Reflect.get(params, name);
  return typeof value === 'string' ? value.slice(0, 128) : undefined;
}
