import https from 'node:https';
import { clientError } from './errors.ts';
import type { HttpResponse, HttpTransport } from './client.ts';

/** An answer at most, in bytes: far above any list page. */
const MOST_REPLY_BYTES = 32 * 1024 * 1024;

/** A transport that can be ended: idle connections would keep a process alive. */
export interface ClosableTransport {
  readonly transport: HttpTransport;
  readonly close: () => void;
}

/**
 * HTTPS for Node with connections kept alive, TLS 1.2 or later.
 * `tlsRootPem` pins the only root that is believed; without it the machine's own roots are.
 * `timeout`: milliseconds of silence after which a call fails, 30 s unless given.
 */
export function createHttpsTransport(options: {
  readonly tlsRootPem?: string;
  readonly timeout?: number;
}): ClosableTransport {
  const agent = new https.Agent({
    keepAlive: true,
    maxSockets: 16,
    minVersion: 'TLSv1.2',
    ...(options.tlsRootPem === undefined ? {} : { ca: options.tlsRootPem }),
  });
  const timeout = options.timeout ?? 30_000;
  const transport: HttpTransport = ({ method, url, headers, body }) =>
    new Promise<HttpResponse>((resolve, reject) => {
      const request = https.request(
        url,
        { method, agent, timeout, headers: { ...headers, 'content-length': String(body?.length ?? 0) } },
        (response) => {
          const chunks: Uint8Array[] = [];
          let length = 0;
          response.on('data', (chunk: Uint8Array) => {
            length += chunk.length;
            if (length > MOST_REPLY_BYTES) {
              request.destroy(
                clientError('ReplyTooLarge', `The answer is larger than ${MOST_REPLY_BYTES} bytes.`),
              );
            }
            chunks.push(chunk);
          });
          response.on('error', reject);
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              contentType: response.headers['content-type'] ?? '',
              body: new Uint8Array(Buffer.concat(chunks)),
            }),
          );
        },
      );
      request.on('timeout', () => request.destroy(new Error(`no answer within ${timeout} ms`)));
      request.on('error', reject);
      request.end(body ?? undefined);
    });
  return { transport, close: () => agent.destroy() };
}
