import type { Duplex } from 'node:stream';
import { NetworkError, toNetworkError } from './network-errors.ts';

/** A connection of an app: bytes in, bytes out, one reader at a time. */
export class NetworkStream {
  readonly #socket: Duplex;
  #reading = false;
  #failure: NetworkError | null = null;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#failure = toNetworkError(error);
    });
  }

  /** Up to `most` bytes as soon as there are some; empty when the peer has ended the stream. */
  async read(most: number): Promise<Uint8Array> {
    if (this.#reading) throw new NetworkError('SessionBusy', 'Another read of this connection is waiting.');
    this.#reading = true;
    try {
      for (;;) {
        const waiting = this.#socket.readableLength;
        const chunk: unknown = waiting === 0 ? null : this.#socket.read(Math.min(most, waiting));
        if (chunk instanceof Buffer) return new Uint8Array(chunk);
        if (this.#failure !== null) throw this.#failure;
        // Told by an event only a moment later.
        if (this.#socket.errored !== null) throw toNetworkError(this.#socket.errored);
        if (this.#socket.readableEnded || this.#socket.destroyed) return new Uint8Array();
        await this.#change();
      }
    } finally {
      this.#reading = false;
    }
  }

  /** Resolves when the bytes were handed to the network. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#socket.destroyed || this.#socket.writableEnded) {
      return Promise.reject(new NetworkError('ConnectionLost', 'The connection has ended.'));
    }
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error == null) resolve();
        else reject(this.#failure ?? toNetworkError(error));
      });
    });
  }

  /** Nothing more will be written; what the peer still sends can be read. */
  endWriting(): void {
    this.#socket.end();
  }

  /** Sends what is waiting, then ends the connection. */
  close(): void {
    if ('destroySoon' in this.#socket && typeof this.#socket.destroySoon === 'function')
      this.#socket.destroySoon();
    else this.#socket.end(() => this.#socket.destroy());
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const events = ['readable', 'end', 'close', 'error'] as const;
      const done = (): void => {
        for (const event of events) this.#socket.off(event, done);
        resolve();
      };
      for (const event of events) this.#socket.on(event, done);
      // `readable` fires once a read has been asked for.
      this.#socket.read(0);
    });
  }
}
