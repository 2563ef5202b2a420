import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

import { DEVICE_CONTENT_TYPES, encodeDeviceProblem, type DeviceProblem } from '@sevenfold/formats';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { isAnswerable } from '../http/broken-request.ts';
import { CONNECT_REFUSED } from '../http/odd-requests.ts';
import { isInternal, problemOf } from '../http/problems.ts';
import type { ServiceContext } from '../service-context.ts';
import { TooSoon } from './admission.ts';

/** Seconds after which a device should try again what could not be done now. */
const RETRY_AFTER = 30;
/** What the protocol's bounds leave for texts. */
const MAX_MESSAGE = 500;
const MAX_PLACE = 200;

/** Answers a refusal as concise problem details (RFC 9290): code, sentence, field and rule. */
export function sendDeviceProblem(
  context: Pick<ServiceContext, 'log'>,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): FastifyReply {
  const { status, code, detail, field, rule, ...rest } = problemOf(error, request.id);
  if (isInternal({ status, code, detail, ...rest })) {
    context.log.error({ requestId: request.id, code }, 'a device’s request failed', error);
  } else {
    context.log.info({ requestId: request.id, code, field }, 'refused a device');
  }
  if (status === 429 || status === 503) {
    // Where it is known when another try is worth it, the device is told; elsewhere it is some time to let things settle.
    const seconds = error instanceof TooSoon ? error.retryAfter : RETRY_AFTER;
    reply.header('retry-after', String(seconds));
  }
  const problem = bounded({
    code,
    message: detail,
    ...(field === undefined ? {} : { field }),
    ...(rule === undefined ? {} : { rule }),
  });
  return reply
    .code(status)
    .type(DEVICE_CONTENT_TYPES.problem)
    .send(Buffer.from(encodeDeviceProblem(problem)));
}

/** What HTTP itself could not read, or not in time: answered, then the connection ends. */
export function answerBrokenDeviceRequest(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!isAnswerable(error, socket)) {
    socket.destroy();
    return;
  }
  const [status, problem] = brokenRequest(error.code);
  const body = encodeDeviceProblem(problem);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `content-type: ${DEVICE_CONTENT_TYPES.problem}`,
    `content-length: ${body.length}`,
    'connection: close',
    '',
    '',
  ].join('\r\n');
  socket.end(Buffer.concat([Buffer.from(head, 'latin1'), body]));
  // A client that does not read its answer does not keep the connection either.
  socket.destroySoon();
}

function brokenRequest(code: string | undefined): readonly [number, DeviceProblem] {
  switch (code ?? '') {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [
        408,
        { code: 'RequestTimeout', message: 'The request did not arrive in time.', rule: 'send it at once' },
      ];
    case 'HPE_HEADER_OVERFLOW':
      return [
        431,
        { code: 'HeadersTooLarge', message: 'The headers are too large.', rule: 'at most 8192 bytes' },
      ];
    case CONNECT_REFUSED:
      return [
        405,
        { code: 'MethodNotAllowed', message: 'This is no proxy.', rule: 'docs/device-protocol.md' },
      ];
    default:
      return [400, { code: 'InvalidRequest', message: 'This is not an HTTP request.', rule: 'RFC 9112' }];
  }
}

function bounded(problem: DeviceProblem): DeviceProblem {
  const { code, message, field, rule } = problem;
  return {
    code,
    message: message.slice(0, MAX_MESSAGE),
    ...(field === undefined ? {} : { field: field.slice(0, MAX_PLACE) }),
    ...(rule === undefined ? {} : { rule: rule.slice(0, MAX_PLACE) }),
  };
}
