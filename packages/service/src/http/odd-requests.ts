import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServiceError } from '../service-error.ts';

/** What Node's parser would have called a refusal, for those that it lets through without a word. */
interface BrokenRequest extends Error {
  readonly code: string;
}

/** The `code` under which `answerBroken` of a port hears of a CONNECT. */
export const CONNECT_REFUSED = 'SEVENFOLD_CONNECT';

/**
 * Requests that Node answers by itself, with no body or not at all, get a port's own typed answers: one without
 * `Host` (the server has `requireHostHeader: false`), one that expects something unheard of, and CONNECT.
 */
export function answerOddRequests(
  app: FastifyInstance,
  answerBroken: (error: BrokenRequest, socket: Socket) => void,
): void {
  app.addHook('onRequest', (request, _, done) => done(refusalWithoutHost(request)));
  // Fastify types its server as `http.Server`; both ports speak https alone.
  const server = app.server as unknown as Server;
  // RFC 9110 §10.1.1: a server may refuse an expectation that it does not know; this one has none to miss.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('connect', (_, socket) => {
    answerBroken(Object.assign(new Error('CONNECT'), { code: CONNECT_REFUSED }), socket as Socket);
  });
}

function refusalWithoutHost({ headers, raw }: FastifyRequest): ServiceError | undefined {
  if (headers.host !== undefined || raw.httpVersion !== '1.1') return undefined;
  return new ServiceError('InvalidRequest', 'The request does not say which host it is for.', {
    field: 'host',
    rule: 'RFC 9112 §3.2',
  });
}
