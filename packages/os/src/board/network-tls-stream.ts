import type { TLSSocket } from 'node:tls';
import { NetworkError } from './network-errors.ts';
import { Http2Session } from './network-http2.ts';
import { NetworkStream } from './network-stream.ts';
import { exportKeyingMaterial } from './network-tls.ts';

/** A TLS connection of an app. */
export class TlsStream extends NetworkStream {
  readonly #tls: TLSSocket;
  #session: Http2Session | null = null;

  constructor(socket: TLSSocket) {
    super(socket);
    this.#tls = socket;
  }

  /** What both sides agreed to speak (RFC 7301); empty: nothing was said. */
  get protocol(): string {
    const { alpnProtocol } = this.#tls;
    return typeof alpnProtocol === 'string' ? alpnProtocol : '';
  }

  /** HTTP/2 over this connection; from then on nothing else goes over it. */
  http2(): Http2Session {
    if (this.protocol !== 'h2')
      throw new NetworkError('BadArgument', 'The two sides did not agree on HTTP/2.', { rule: 'h2' });
    this.#session ??= new Http2Session(this.#tls);
    return this.#session;
  }

  override close(): void {
    this.#session?.close();
    super.close();
  }

  override destroy(): void {
    this.#session?.close();
    super.destroy();
  }

  /** Keying material of this connection. */
  exporter(label: string, length: number): Uint8Array {
    return exportKeyingMaterial(this.#tls, label, length);
  }
}
