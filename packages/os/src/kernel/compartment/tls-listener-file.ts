import { isBytes, type Port, type PortValue } from '@sevenfold/formats';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, NON_BLOCKING, OpenFile, READY, type Readiness } from './open-file.ts';
import { TlsFile } from './tls-file.ts';
import type { Waker } from './waker.ts';

/** A device that has come, and who it is. */
export interface AcceptedDevice {
  readonly connection: number;
  readonly deviceId: string;
}

function readAccepted(value: PortValue): AcceptedDevice {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value)) {
    const { connection, deviceId } = value as { readonly [key: string]: PortValue };
    if (typeof connection === 'number' && typeof deviceId === 'string') return { connection, deviceId };
  }
  throw new CallRefused('EIO');
}

/** A port on which other devices of the tenant are met: readable when one has come and proved who it is. */
export class TlsListenerFile extends OpenFile {
  readonly fileType = FILE_TYPE.stream;
  readonly #kernel: Port;
  readonly #waker: Waker;
  readonly #listener: number;
  #isAccepting = false;
  #accepted: AcceptedDevice | null = null;
  #failure: unknown = null;

  constructor(kernel: Port, waker: Waker, listener: number) {
    super();
    this.#kernel = kernel;
    this.#waker = waker;
    this.#listener = listener;
  }

  static async listen(kernel: Port, waker: Waker, port: number, backlog: number): Promise<TlsListenerFile> {
    const listener = await kernel.call('tlsListen', port, backlog);
    if (typeof listener !== 'number') throw new CallRefused('EIO');
    return new TlsListenerFile(kernel, waker, listener);
  }

  #beginAccept(): void {
    if (this.#isAccepting || this.#accepted !== null || this.#failure !== null) return;
    this.#isAccepting = true;
    this.#kernel
      .call('tlsAccept', this.#listener)
      .then(
        (value) => {
          this.#accepted = readAccepted(value);
        },
        (error: unknown) => {
          this.#failure = error;
        },
      )
      .finally(() => {
        this.#isAccepting = false;
        this.#waker.wake();
      });
  }

  #take(): AcceptedDevice | null {
    const [accepted, failure] = [this.#accepted, this.#failure];
    this.#accepted = null;
    this.#failure = null;
    if (failure !== null) throw failure;
    return accepted;
  }

  /** The next device. EAGAIN where none has come and the listener does not block. */
  async accept(flags: number): Promise<{ readonly file: TlsFile; readonly deviceId: string }> {
    for (;;) {
      const accepted = this.#take();
      if (accepted !== null) {
        const file = await TlsFile.adopt(this.#kernel, this.#waker, accepted.connection, flags);
        return { file, deviceId: accepted.deviceId };
      }
      this.#beginAccept();
      if ((this.flags & NON_BLOCKING) !== 0) throw new CallRefused('EAGAIN');
      await this.#waker.until(null);
    }
  }

  override readiness(): Readiness {
    this.#beginAccept();
    const isReady = this.#accepted !== null || this.#failure !== null;
    return { events: isReady ? READY.input : 0, changesAt: null };
  }

  override async close(): Promise<void> {
    const accepted = this.#accepted;
    this.#accepted = null;
    if (accepted !== null) await this.#kernel.call('tlsClose', accepted.connection);
    await this.#kernel.call('tlsUnlisten', this.#listener);
  }
}
