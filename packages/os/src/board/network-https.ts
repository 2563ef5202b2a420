import type { Agent, IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { HttpsRequest, TlsTarget } from './network-arguments.ts';
import { NetworkError, toNetworkError } from './network-errors.ts';
import { exportKeyingMaterial } from './network-tls.ts';
import { http } from './node-network.ts';

/** What came back. */
export interface HttpsResponse {
  readonly status: number;
  readonly contentType: string;
  /** Seconds, where the server named some (RFC 9110 §10.2.3, delay-seconds only). */
  readonly retryAfter: number | null;
  readonly body: Uint8Array;
}

/** Bounds of one exchange. */
export interface HttpsLimits {
  /** Bytes of a response body. */
  readonly maxResponse: number;
  /** Milliseconds from the request's first byte to the response's last. */
  readonly responseTimeout: number;
}

/** Hands out the one socket, once: a second connection would not have the first one's exporter. */
function oneSocketAgent(socket: TLSSocket): Agent {
  const { Agent } = http();
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
  let isUsed = false;
  agent.createConnection = (_options, callback) => {
    if (!isUsed && !socket.destroyed) {
      isUsed = true;
      return socket;
    }
    callback?.(new NetworkError('ConnectionLost', 'The server has ended this connection.'), socket);
    return undefined;
  };
  return agent;
}

/** HTTP/1.1 with keep-alive over one TLS connection: exporter and requests belong to the same connection. */
export class HttpsSession {
  readonly #socket: TLSSocket;
  readonly #agent: Agent;
  readonly #host: string;
  readonly #limits: HttpsLimits;
  #busy = false;

  constructor(socket: TLSSocket, target: TlsTarget, limits: HttpsLimits) {
    this.#socket = socket;
    this.#agent = oneSocketAgent(socket);
    this.#host = `${target.serverName}:${target.port}`;
    this.#limits = limits;
  }

  /** Keying material of the connection that carries this session's requests. */
  exporter(label: string, length: number): Uint8Array {
    return exportKeyingMaterial(this.#socket, label, length);
  }

  /** One exchange; a second one at the same time is refused with `SessionBusy`. */
  async request(wanted: HttpsRequest): Promise<HttpsResponse> {
    if (this.#busy) throw new NetworkError('SessionBusy', 'Another request of this session is waiting.');
    this.#busy = true;
    try {
      return await this.#exchange(wanted);
    } finally {
      this.#busy = false;
    }
  }

  #exchange(wanted: HttpsRequest): Promise<HttpsResponse> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = { host: this.#host };
      if (wanted.contentType !== null) headers['content-type'] = wanted.contentType;
      if (wanted.body !== null) headers['content-length'] = String(wanted.body.length);
      if (wanted.range !== null) headers['range'] = rangeHeader(wanted.range);
      const outgoing = http().request({
        agent: this.#agent,
        method: wanted.method,
        path: wanted.path,
        headers,
        setHost: false,
      });
      const timer = setTimeout(() => {
        outgoing.destroy(new NetworkError('ResponseTimeout', 'The server did not answer in time.'));
      }, this.#limits.responseTimeout);
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        // Whatever is left of this exchange must not be taken for the next one's answer.
        this.#socket.destroy();
        reject(toNetworkError(error));
      };
      outgoing.once('error', fail);
      outgoing.once('response', (incoming) => {
        this.#collect(incoming).then((body) => {
          clearTimeout(timer);
          resolve(describe(incoming, body));
        }, fail);
      });
      outgoing.end(wanted.body ?? undefined);
    });
  }

  /** Ends the connection. */
  close(): void {
    this.#agent.destroy();
    this.#socket.destroy();
  }

  async #collect(incoming: IncomingMessage): Promise<Uint8Array> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of incoming) {
      if (!(chunk instanceof Buffer)) throw new NetworkError('BadResponse', 'The body is not made of bytes.');
      size += chunk.length;
      if (size > this.#limits.maxResponse) {
        throw new NetworkError(
          'ResponseTooLarge',
          `The response is larger than ${this.#limits.maxResponse} bytes.`,
          {
            rule: `at most ${this.#limits.maxResponse} bytes`,
          },
        );
      }
      chunks.push(chunk);
    }
    if (!incoming.complete) throw new NetworkError('ConnectionLost', 'The response was cut short.');
    return new Uint8Array(Buffer.concat(chunks, size));
  }
}

function rangeHeader(range: { start: number; length: number | null }): string {
  return `bytes=${range.start}-${range.length === null ? '' : range.start + range.length - 1}`;
}

function describe(incoming: IncomingMessage, body: Uint8Array): HttpsResponse {
  const retryAfter = incoming.headers['retry-after'];
  return {
    status: incoming.statusCode ?? 0,
    contentType: incoming.headers['content-type'] ?? '',
    retryAfter: retryAfter !== undefined && /^\d{1,7}$/.test(retryAfter) ? Number(retryAfter) : null,
    body,
  };
}
