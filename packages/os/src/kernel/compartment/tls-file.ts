import type { Port } from '@sevenfold/formats';
import { ConnectionStream } from './connection-stream.ts';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, NON_BLOCKING, OpenFile, type Readiness } from './open-file.ts';
import type { Waker } from './waker.ts';

const IDENTITIES: readonly string[] = ['none', 'device'];
const CALLS = { read: 'tlsRead', write: 'tlsWrite', close: 'tlsClose' } as const;
/** Beside `NON_BLOCKING`: HTTP/2 is offered, and the device's proxy is passed by. */
const OFFERS_HTTP2 = 0x100;
const IS_DIRECT = 0x200;
/** What `tls_protocol` tells. */
const PROTOCOLS: readonly string[] = ['', 'http/1.1', 'h2'];

/** Whom an app wants to speak TLS with, and as whom. */
export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  /** 0: nobody; 1: the device. */
  readonly identity: number;
  /** The device that the peer must be, empty for any; null: the peer is a server. */
  readonly peer: string | null;
}

/** A TLS connection that the kernel holds: the app reads and writes, keys stay below. */
export class TlsFile extends OpenFile {
  readonly fileType = FILE_TYPE.stream;
  readonly #stream: ConnectionStream;
  #protocol = '';

  constructor(stream: ConnectionStream, flags: number) {
    super();
    this.#stream = stream;
    this.flags = flags & NON_BLOCKING;
  }

  /** Resolves when the handshake is done; with `NON_BLOCKING` at once, and the descriptor tells how it went. */
  static async connect(
    kernel: Port,
    waker: Waker,
    { host, port, identity, peer }: TlsTarget,
    flags: number,
  ): Promise<TlsFile> {
    const identityName = IDENTITIES[identity];
    if (identityName === undefined || (flags & ~(NON_BLOCKING | OFFERS_HTTP2 | IS_DIRECT)) !== 0)
      throw new CallRefused('EINVAL');
    const isHttp = (flags & OFFERS_HTTP2) !== 0;
    const isDirect = (flags & IS_DIRECT) !== 0;
    const stream = new ConnectionStream(kernel, waker, CALLS);
    const file = new TlsFile(stream, flags);
    const opening = stream.open(async () => {
      const wish = { host, port, identity: identityName, isHttp, isDirect, peer };
      const connection = await kernel.call('tlsConnect', wish);
      if (typeof connection !== 'number') throw new CallRefused('EIO');
      const protocol = isHttp ? await kernel.call('tlsProtocol', connection) : '';
      if (typeof protocol === 'string') file.#protocol = protocol;
      return connection;
    });
    if ((flags & NON_BLOCKING) === 0) await opening;
    else opening.catch(() => undefined);
    return file;
  }

  /** One that a device has opened. */
  static async adopt(kernel: Port, waker: Waker, connection: number, flags: number): Promise<TlsFile> {
    const stream = new ConnectionStream(kernel, waker, CALLS);
    await stream.open(() => Promise.resolve(connection));
    return new TlsFile(stream, flags);
  }

  /** The kernel's number of it. ENOTCONN before the handshake is done. */
  get connection(): number {
    return this.#stream.connection;
  }

  /** What both sides agreed to speak, as a number of `PROTOCOLS`. ENOTCONN before the handshake is done. */
  get protocol(): number {
    return this.connection >= 0 ? Math.max(0, PROTOCOLS.indexOf(this.#protocol)) : 0;
  }

  override readiness(): Readiness {
    return this.#stream.readiness();
  }

  override read(most: number): Uint8Array | Promise<Uint8Array> {
    return this.#stream.read(most, this.flags);
  }

  override write(bytes: Uint8Array): number | Promise<number> {
    return this.#stream.write(bytes, this.flags);
  }

  override close(): Promise<void> {
    return this.#stream.close();
  }
}
