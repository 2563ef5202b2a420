import type { Port } from '@sevenfold/formats';
import { ConnectionStream } from './connection-stream.ts';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, NON_BLOCKING, OpenFile, type Readiness } from './open-file.ts';
import type { Waker } from './waker.ts';

const IDENTITIES: readonly string[] = ['none', 'device'];
const CALLS = { read: 'tlsRead', write: 'tlsWrite', close: 'tlsClose' } as const;

/** Whom an app wants to speak TLS with, and as whom. */
export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  /** 0: nobody; 1: the device. */
  readonly identity: number;
}

/** A TLS connection that the kernel holds: the app reads and writes, keys stay below. */
export class TlsFile extends OpenFile {
  readonly fileType = FILE_TYPE.stream;
  readonly #stream: ConnectionStream;

  constructor(stream: ConnectionStream) {
    super();
    this.#stream = stream;
  }

  /** Resolves when the handshake is done; with `NON_BLOCKING` at once, and the descriptor tells how it went. */
  static async connect(
    kernel: Port,
    waker: Waker,
    { host, port, identity }: TlsTarget,
    flags: number,
  ): Promise<TlsFile> {
    const identityName = IDENTITIES[identity];
    if (identityName === undefined || (flags & ~NON_BLOCKING) !== 0) throw new CallRefused('EINVAL');
    const stream = new ConnectionStream(kernel, waker, CALLS);
    const opening = stream.open(async () => {
      const connection = await kernel.call('tlsConnect', host, port, identityName);
      if (typeof connection !== 'number') throw new CallRefused('EIO');
      return connection;
    });
    if ((flags & NON_BLOCKING) === 0) await opening;
    else opening.catch(() => undefined);
    const file = new TlsFile(stream);
    file.flags = flags;
    return file;
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
