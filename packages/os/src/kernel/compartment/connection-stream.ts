import { isBytes, type Port } from '@sevenfold/formats';
import { CallRefused, ERRNO, errnoOf } from './errno.ts';
import { NON_BLOCKING, READY, type Readiness } from './open-file.ts';
import type { Waker } from './waker.ts';

/** Bytes asked of the kernel, or given to it, at a time. */
const CHUNK = 16_384;

/** The kernel's calls for one kind of connection. */
export interface ConnectionCalls {
  readonly read: string;
  readonly write: string;
  readonly close: string;
}

/**
 * Bytes to and from a connection that the kernel holds, blocking or not: opening, reading and writing go on in the
 * background, so that an app that polls is never held up.
 */
export class ConnectionStream {
  readonly #kernel: Port;
  readonly #waker: Waker;
  readonly #calls: ConnectionCalls;
  #connection: number | null = null;
  /** Received and not yet read; at most one chunk, since the next is asked for only when it is empty. */
  #received: Uint8Array = new Uint8Array(0);
  #isReceiving = false;
  #isSending = false;
  #isAtEnd = false;
  #isClosed = false;
  #failure: unknown = null;
  /** What `SO_ERROR` gives, once. */
  #error: number = ERRNO.success;

  constructor(kernel: Port, waker: Waker, calls: ConnectionCalls) {
    this.#kernel = kernel;
    this.#waker = waker;
    this.#calls = calls;
  }

  /** The kernel's number of the connection. ENOTCONN before there is one. */
  get connection(): number {
    if (this.#failure !== null) throw this.#failure;
    if (this.#connection === null) throw new CallRefused('ENOTCONN');
    return this.#connection;
  }

  /** Takes what `open` resolves with as its connection; it may be closed meanwhile. */
  async open(open: () => Promise<number>): Promise<void> {
    try {
      const connection = await open();
      if (this.#isClosed) await this.#kernel.call(this.#calls.close, connection);
      else this.#connection = connection;
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      this.#waker.wake();
    }
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#error = errnoOf(error);
  }

  /** The errno of what failed in the background, once; 0 otherwise. */
  takeError(): number {
    const error = this.#error;
    this.#error = ERRNO.success;
    return error;
  }

  #receive(): void {
    const isIdle = !this.#isReceiving && !this.#isAtEnd && this.#failure === null;
    if (!isIdle || this.#connection === null || this.#received.length > 0) return;
    this.#isReceiving = true;
    this.#kernel
      .call(this.#calls.read, this.#connection, CHUNK)
      .then(
        (bytes) => {
          if (isBytes(bytes) && bytes.length > 0) this.#received = bytes;
          else this.#isAtEnd = true;
        },
        (error: unknown) => this.#fail(error),
      )
      .finally(() => {
        this.#isReceiving = false;
        this.#waker.wake();
      });
  }

  readiness(): Readiness {
    this.#receive();
    let events = 0;
    if (this.#connection !== null && !this.#isSending) events |= READY.output;
    if (this.#received.length > 0) events |= READY.input;
    if (this.#isAtEnd) events |= READY.input | READY.hangUp;
    if (this.#failure !== null) events |= READY.input | READY.output | READY.error;
    return { events, changesAt: null };
  }

  #take(most: number, isPeek: boolean): Uint8Array | null {
    if (this.#received.length > 0) {
      const bytes = this.#received.subarray(0, most);
      if (!isPeek) this.#received = this.#received.subarray(bytes.length);
      return bytes;
    }
    if (this.#failure !== null) throw this.#failure;
    return this.#isAtEnd ? this.#received : null;
  }

  /** `patience`: ms after which a read that waits fails with EAGAIN (`SO_RCVTIMEO`); 0: never. */
  read(most: number, flags: number, isPeek = false, patience = 0): Uint8Array | Promise<Uint8Array> {
    const bytes = this.#take(most, isPeek);
    if (bytes !== null) return bytes;
    this.#receive();
    if ((flags & NON_BLOCKING) !== 0) throw new CallRefused('EAGAIN');
    return this.#wait(most, isPeek, this.#waker.deadline(patience));
  }

  async #wait(most: number, isPeek: boolean, deadline: number | null): Promise<Uint8Array> {
    for (;;) {
      const bytes = this.#take(most, isPeek);
      if (bytes !== null) return bytes;
      this.#receive();
      await this.#waker.untilDeadline(deadline);
    }
  }

  /**
   * The number of bytes taken. Not blocking: one chunk is under way at a time, EAGAIN while it is. `patience`: ms to
   * wait for that (`SO_SNDTIMEO`); 0: for ever.
   */
  write(bytes: Uint8Array, flags: number, patience = 0): number | Promise<number> {
    if (this.#failure !== null) throw this.#failure;
    const part = bytes.slice(0, CHUNK);
    const isBlocking = (flags & NON_BLOCKING) === 0;
    if (isBlocking) return patience === 0 ? this.#send(part) : this.#sendWithin(part, patience);
    if (this.#connection === null || this.#isSending) throw new CallRefused('EAGAIN');
    return this.#sendLater(part);
  }

  /** What becomes of it is told by the next call. */
  #sendLater(part: Uint8Array): number {
    this.#send(part).catch(() => undefined);
    return part.length;
  }

  async #sendWithin(part: Uint8Array, patience: number): Promise<number> {
    const deadline = this.#waker.deadline(patience);
    while (this.#isSending || this.#connection === null) {
      if (this.#failure !== null) throw this.#failure;
      await this.#waker.untilDeadline(deadline);
    }
    return this.#sendLater(part);
  }

  async #send(part: Uint8Array): Promise<number> {
    while (this.#isSending || (this.#connection === null && this.#failure === null))
      await this.#waker.pause(null);
    const { connection } = this;
    this.#isSending = true;
    try {
      await this.#kernel.call(this.#calls.write, connection, part);
      return part.length;
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      this.#isSending = false;
      this.#waker.wake();
    }
  }

  /** Resolves when what was given to be sent has been handed on and the connection is closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#isSending) await this.#waker.pause(null);
    const connection = this.#connection;
    this.#connection = null;
    if (connection !== null) await this.#kernel.call(this.#calls.close, connection);
  }
}
