import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { PortValue } from '@sevenfold/formats';
import type { Http2Request } from './network-arguments.ts';
import { NetworkError, toNetworkError } from './network-errors.ts';
import { NetworkStream } from './network-stream.ts';
import { http2 } from './node-network.ts';

/** Header fields of an answer, and bytes of them: more ends the exchange. */
const MOST_FIELDS = 64;
const LARGEST_HEAD = 16_384;
/** MB that a peer can have a session hold. */
const SESSION_MEMORY = 1;
const WINDOW = 65_535;

/** HTTP/2 (RFC 9113) over one TLS connection that agreed on it: exchanges side by side. */
export class Http2Session {
  readonly #session: ClientHttp2Session;
  #failure: NetworkError | null = null;

  constructor(socket: TLSSocket) {
    // The authority is each request's own; what stands here is never sent.
    this.#session = http2().connect('https://unnamed.invalid', {
      createConnection: () => socket,
      maxHeaderListPairs: MOST_FIELDS,
      maxSendHeaderBlockLength: LARGEST_HEAD,
      maxSessionMemory: SESSION_MEMORY,
      maxReservedRemoteStreams: 0,
      maxSettings: 16,
      settings: { enablePush: false, initialWindowSize: WINDOW, maxHeaderListSize: LARGEST_HEAD },
    });
    this.#session.on('error', (error) => {
      this.#failure = toNetworkError(error);
    });
  }

  /** Begins an exchange. */
  request({ method, path, authority, fields, body }: Http2Request): Http2Exchange {
    if (this.#failure !== null) throw this.#failure;
    if (this.#session.closed || this.#session.destroyed)
      throw new NetworkError('ConnectionLost', 'The server takes no more requests on this connection.');
    const headers: Record<string, string | string[]> = {};
    for (const [name, value] of fields) {
      const before = headers[name];
      headers[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    }
    try {
      const stream = this.#session.request(
        { ...headers, ':method': method, ':path': path, ':authority': authority, ':scheme': 'https' },
        { endStream: body === null },
      );
      if (body !== null) stream.end(body);
      return new Http2Exchange(stream);
    } catch (error) {
      throw new NetworkError('BadArgument', 'The request has fields that HTTP/2 does not.', { cause: error });
    }
  }

  close(): void {
    this.#session.destroy();
  }
}

/** One request and its answer. */
export class Http2Exchange extends NetworkStream {
  readonly #stream: ClientHttp2Stream;
  readonly #head: Promise<PortValue>;

  constructor(stream: ClientHttp2Stream) {
    super(stream);
    this.#stream = stream;
    this.#head = new Promise((resolve, reject) => {
      stream.once('response', (headers) => {
        const head = headOf(headers);
        if (head !== null) return resolve(head);
        stream.destroy();
        reject(new NetworkError('BadResponse', `The head has more than ${LARGEST_HEAD} bytes.`));
      });
      stream.once('error', (error) => reject(toNetworkError(error)));
      stream.once('close', () =>
        reject(new NetworkError('ConnectionLost', 'The server ended the exchange without an answer.')),
      );
    });
    // Looked at when it is asked for.
    this.#head.catch(() => undefined);
  }

  override async read(most: number): Promise<Uint8Array> {
    const bytes = await super.read(most);
    // Node ends the body of a stream that was reset as it does that of one that is whole.
    if (bytes.length === 0 && (this.#stream.aborted || this.#stream.rstCode !== 0))
      throw new NetworkError('ConnectionLost', 'The server broke off its answer.');
    return bytes;
  }

  /** `{status, fields: [[name, value]]}`; waits for it. */
  head(): Promise<PortValue> {
    return this.#head;
  }
}

/** Null: too large. */
function headOf({
  ':status': status = 0,
  ...headers
}: IncomingHttpHeaders & IncomingHttpStatusHeader): PortValue {
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((each) => [name, each] as const),
  );
  const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return size > LARGEST_HEAD ? null : { status, fields };
}
