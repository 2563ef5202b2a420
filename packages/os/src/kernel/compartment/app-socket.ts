import { isBytes, type Port } from '@sevenfold/formats';
import { MOST_MESSAGE } from '../inter-core/ring.ts';
import { CallRefused, errnoOf } from './errno.ts';
import { FILE_TYPE, NON_BLOCKING, READY, type Readiness } from './open-file.ts';
import { SocketFile, type Endpoint, type Received } from './socket-file.ts';
import type { Waker } from './waker.ts';

const PARTNER: Endpoint = { address: 0, port: 0 };

/**
 * What `Application_Connect` gives: messages to and from one real-time app. Each send is one message, which waits for
 * room in the ring; without waiting, one may be under way, and the next is EAGAIN until it has arrived there.
 */
export class AppSocket extends SocketFile {
  override readonly fileType = FILE_TYPE.datagram;
  override peer = PARTNER;
  readonly #kernel: Port;
  readonly #waker: Waker;
  readonly #connection: number;
  #isSending = false;
  #isReceiving = false;
  #message: Uint8Array | null = null;
  /** Of the receive, and of the send, that failed last: told once. */
  #receiveFailure: unknown = null;
  #sendFailure: unknown = null;

  private constructor(kernel: Port, waker: Waker, connection: number) {
    super();
    this.#kernel = kernel;
    this.#waker = waker;
    this.#connection = connection;
  }

  static async connect(kernel: Port, waker: Waker, componentId: string): Promise<AppSocket> {
    return new AppSocket(kernel, waker, Number(await kernel.call('appConnect', componentId)));
  }

  bind(): never {
    throw new CallRefused('EINVAL');
  }

  connect(): never {
    throw new CallRefused('EISCONN');
  }

  sendTo(bytes: Uint8Array, to: Endpoint | null): number | Promise<number> {
    if (to !== null) throw new CallRefused('EISCONN');
    if (bytes.length > MOST_MESSAGE) throw new CallRefused('EMSGSIZE');
    if ((this.flags & NON_BLOCKING) === 0) return this.#sendWaiting(bytes);
    const failure = this.#takeSendFailure();
    if (failure !== null) throw failure;
    if (this.#isSending) throw new CallRefused('EAGAIN');
    this.#begin(bytes);
    return bytes.length;
  }

  #begin(bytes: Uint8Array): void {
    this.#isSending = true;
    this.#kernel
      .call('appSend', this.#connection, bytes)
      .catch((error: unknown) => {
        this.#sendFailure = error;
      })
      .finally(() => {
        this.#isSending = false;
        this.#waker.wake();
      });
  }

  async #sendWaiting(bytes: Uint8Array): Promise<number> {
    const deadline = this.#waker.deadline(this.sendPatience);
    while (this.#isSending) await this.#waker.untilDeadline(deadline);
    this.#begin(bytes);
    while (this.#isSending) await this.#waker.untilDeadline(deadline);
    const failure = this.#takeSendFailure();
    if (failure !== null) throw failure;
    return bytes.length;
  }

  #takeSendFailure(): unknown {
    const failure = this.#sendFailure;
    this.#sendFailure = null;
    return failure;
  }

  #receive(): void {
    if (this.#isReceiving || this.#message !== null || this.#receiveFailure !== null) return;
    this.#isReceiving = true;
    this.#kernel
      .call('appReceive', this.#connection)
      .then((message) => {
        if (isBytes(message)) this.#message = message;
      })
      .catch((error: unknown) => {
        this.#receiveFailure = error;
      })
      .finally(() => {
        this.#isReceiving = false;
        this.#waker.wake();
      });
  }

  #take(most: number, isPeek: boolean): Received | null {
    const failure = this.#receiveFailure;
    this.#receiveFailure = null;
    if (failure !== null) throw failure;
    const message = this.#message;
    if (message === null) {
      this.#receive();
      return null;
    }
    if (!isPeek) this.#message = null;
    // What does not fit of a message is lost, as of a datagram (POSIX recvfrom).
    return { bytes: message.subarray(0, most), from: PARTNER };
  }

  receiveFrom(most: number, isPeek: boolean): Received | Promise<Received> {
    const received = this.#take(most, isPeek);
    if (received !== null) return received;
    if ((this.flags & NON_BLOCKING) !== 0) throw new CallRefused('EAGAIN');
    return this.#wait(most, isPeek, this.#waker.deadline(this.receivePatience));
  }

  async #wait(most: number, isPeek: boolean, deadline: number | null): Promise<Received> {
    for (;;) {
      await this.#waker.untilDeadline(deadline);
      const received = this.#take(most, isPeek);
      if (received !== null) return received;
    }
  }

  override readiness(): Readiness {
    this.#receive();
    let events: number = this.#isSending ? 0 : READY.output;
    if (this.#message !== null || this.#receiveFailure !== null) events |= READY.input;
    if (this.#receiveFailure !== null || this.#sendFailure !== null) events |= READY.error;
    return { events, changesAt: null };
  }

  override takeError(): number {
    const failure = this.#takeSendFailure();
    return failure === null ? 0 : errnoOf(failure);
  }

  override async close(): Promise<void> {
    await this.#kernel.call('appClose', this.#connection);
  }
}
