import { isBytes, utf8Encode, type Port, type PortValue } from '@sevenfold/formats';
import { ConnectionStream } from './connection-stream.ts';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, OpenFile, type Readiness } from './open-file.ts';
import type { Waker } from './waker.ts';

/** A request as the app gives it: fields as name and value in turn. */
export interface Http2Request {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
}

/**
 * Texts that each end in NUL: method, path, then names and values. EINVAL where they do not come out even, or one is
 * no ASCII.
 */
export function readHttp2Request(head: Uint8Array, body: Uint8Array | null): Http2Request {
  if (!head.every((byte) => byte < 0x80) || head.at(-1) !== 0) throw new CallRefused('EINVAL');
  const [method = '', path = '', ...rest] = String.fromCharCode(...head.subarray(0, -1)).split('\0');
  if (rest.length % 2 !== 0) throw new CallRefused('EINVAL');
  const fields = rest.flatMap((text, index) =>
    index % 2 === 0 ? [[text, rest[index + 1] ?? ''] as const] : [],
  );
  return { method, path, fields, body };
}

/** The head of an answer as HTTP/1 would write it, which is what an app's parser knows. */
function headText(value: PortValue): string {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value)) {
    const { status, fields } = value as { readonly [key: string]: PortValue };
    if (typeof status === 'number' && Array.isArray(fields)) {
      const lines = (fields as readonly PortValue[]).map((field) => {
        const [name, text] = Array.isArray(field) ? (field as readonly PortValue[]) : [];
        if (typeof name !== 'string' || typeof text !== 'string') throw new CallRefused('EIO');
        return `${name}: ${text.replaceAll(/[\r\n\0]/g, ' ')}\r\n`;
      });
      return `HTTP/2 ${status}\r\n${lines.join('')}\r\n`;
    }
  }
  throw new CallRefused('EIO');
}

/** One exchange of HTTP/2: reads give the head of the answer, then its body, then the end. */
export class Http2File extends OpenFile {
  readonly fileType = FILE_TYPE.stream;
  readonly #stream: ConnectionStream;

  constructor(stream: ConnectionStream, flags: number) {
    super();
    this.#stream = stream;
    this.flags = flags;
  }

  /** Sends the request; what becomes of it is told by reading. */
  static open(
    kernel: Port,
    waker: Waker,
    connection: number,
    request: Http2Request,
    flags: number,
  ): Http2File {
    let head: Uint8Array | null = null;
    const calls: Port = {
      async call(method, exchange, ...args) {
        if (method !== 'http2Read' || head !== null) return kernel.call(method, exchange, ...args);
        head = utf8Encode(headText(await kernel.call('http2Head', exchange)));
        return head;
      },
    };
    const stream = new ConnectionStream(calls, waker, { read: 'http2Read', write: '', close: 'http2Close' });
    stream
      .open(async () => {
        const exchange = await kernel.call('http2Request', connection, { ...request });
        if (typeof exchange !== 'number') throw new CallRefused('EIO');
        return exchange;
      })
      .catch(() => undefined);
    return new Http2File(stream, flags);
  }

  override readiness(): Readiness {
    return this.#stream.readiness();
  }

  override read(most: number): Uint8Array | Promise<Uint8Array> {
    return this.#stream.read(most, this.flags);
  }

  override close(): Promise<void> {
    return this.#stream.close();
  }
}
