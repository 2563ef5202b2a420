import { isBytes, type Port } from '@sevenfold/formats';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, NON_BLOCKING, OpenFile, READY, type Readiness } from './open-file.ts';
import type { Waker } from './waker.ts';

/** Bytes asked of the kernel at a time. */
const CHUNK = 16_384;
const IDENTITIES: readonly string[] = ['none', 'device'];

/** A TLS connection that the kernel holds: the app reads and writes, keys stay below. */
export class TlsFile extends OpenFile {
  readonly fileType = FILE_TYPE.stream;
  readonly #kernel: Port;
  readonly #waker: Waker;
  readonly #connection: number;
  /** Received and not yet read; at most one chunk, since the next is asked for only when it is empty. */
  #received: Uint8Array = new Uint8Array(0);
  #isReceiving = false;
  #isAtEnd = false;
  #failure: unknown = null;

  constructor(kernel: Port, waker: Waker, connection: number) {
    super();
    this.#kernel = kernel;
    this.#waker = waker;
    this.#connection = connection;
  }

  static async connect(
    kernel: Port,
    waker: Waker,
    host: string,
    port: number,
    identity: number,
  ): Promise<TlsFile> {
    const identityName = IDENTITIES[identity];
    if (identityName === undefined) throw new CallRefused('EINVAL');
    const connection = await kernel.call('tlsConnect', host, port, identityName);
    if (typeof connection !== 'number') throw new CallRefused('EIO');
    return new TlsFile(kernel, waker, connection);
  }

  #receive(): void {
    if (this.#isReceiving || this.#isAtEnd || this.#failure !== null || this.#received.length > 0) return;
    this.#isReceiving = true;
    this.#kernel
      .call('tlsRead', this.#connection, CHUNK)
      .then(
        (bytes) => {
          if (isBytes(bytes) && bytes.length > 0) this.#received = bytes;
          else this.#isAtEnd = true;
        },
        (error: unknown) => {
          this.#failure = error;
        },
      )
      .finally(() => {
        this.#isReceiving = false;
        this.#waker.wake();
      });
  }

  override readiness(): Readiness {
    this.#receive();
    let events: number = READY.output;
    if (this.#received.length > 0) events |= READY.input;
    if (this.#isAtEnd) events |= READY.input | READY.hangUp;
    if (this.#failure !== null) events |= READY.input | READY.error;
    return { events, changesAt: null };
  }

  #take(most: number): Uint8Array | null {
    if (this.#received.length > 0) {
      const bytes = this.#received.subarray(0, most);
      this.#received = this.#received.subarray(bytes.length);
      return bytes;
    }
    if (this.#failure !== null) throw this.#failure;
    return this.#isAtEnd ? this.#received : null;
  }

  override read(most: number): Uint8Array | Promise<Uint8Array> {
    const bytes = this.#take(most);
    if (bytes !== null) return bytes;
    this.#receive();
    if ((this.flags & NON_BLOCKING) !== 0) throw new CallRefused('EAGAIN');
    return this.#wait(most);
  }

  async #wait(most: number): Promise<Uint8Array> {
    for (;;) {
      const bytes = this.#take(most);
      if (bytes !== null) return bytes;
      await this.#waker.until(null);
    }
  }

  override async write(bytes: Uint8Array): Promise<number> {
    if (this.#failure !== null) throw this.#failure;
    const part = bytes.subarray(0, CHUNK);
    await this.#kernel.call('tlsWrite', this.#connection, part);
    return part.length;
  }

  override async close(): Promise<void> {
    await this.#kernel.call('tlsClose', this.#connection);
  }
}
