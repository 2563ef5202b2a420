import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CONNECT_REFUSED } from './odd-requests.ts';

/** What Node's HTTP parser calls its refusals, in our words. */
const BROKEN: Readonly<
  Record<string, { readonly status: number; readonly code: string; readonly detail: string }>
> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: 'RequestTimeout',
    detail: 'The request took too long to arrive.',
  },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: 'HeadersTooLarge',
    detail: 'The headers are larger than 16 KiB.',
  },
  [CONNECT_REFUSED]: {
    status: 405,
    code: 'MethodNotAllowed',
    detail: 'This is no proxy.',
  },
};
const NOT_HTTP = { status: 400, code: 'InvalidRequest', detail: 'This is not an HTTP request.' };

/**
 * Whether there is anybody to answer: HTTP's own errors alone. One of TLS means that the handshake was not finished
 * in time or at all; whatever is written then waits for its end, and so would the connection, for ever.
 */
export function isAnswerable(error: { readonly code?: string }, socket: Socket): boolean {
  return socket.writable && /^(?:HPE_|ERR_HTTP_|SEVENFOLD_)/u.test(error.code ?? '');
}

/** Answers what never became a request – too slow, headers too large, not HTTP – with a problem, and hangs up. */
export function answerBrokenRequest(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!isAnswerable(error, socket)) {
    socket.destroy();
    return;
  }
  const { status, code, detail } = BROKEN[error.code ?? ''] ?? NOT_HTTP;
  const title = STATUS_CODES[status] ?? 'Error';
  const body = JSON.stringify({ type: `tag:sevenfold,2026:problem:${code}`, title, status, detail, code });
  socket.write(
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  socket.destroySoon();
}
