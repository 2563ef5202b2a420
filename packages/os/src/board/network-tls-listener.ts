import type { SecureContext, TLSSocket } from 'node:tls';
import type { TlsServiceIdentity } from './network-arguments.ts';
import { NetworkError } from './network-errors.ts';
import type { Accepted, Listener } from './network-listener.ts';
import { credentialsOf, judgeDevice, withDeadline } from './network-tls.ts';
import { tls } from './node-network.ts';
import { WaitingLine } from './waiting-line.ts';

/** Handshakes under way, and peers that wait to be accepted; whoever comes then is sent away. */
const MOST_HANDSHAKES = 8;
const MOST_WAITING = 4;

/** A device that has proved who it is. */
export interface AcceptedDevice extends Accepted {
  readonly stream: TLSSocket;
  readonly deviceId: string;
}

/** A port on which devices are met by TLS, both sides showing who they are. Handshakes go on side by side. */
export class TlsListener {
  readonly #listener: Listener;
  #service: TlsServiceIdentity;
  #context: SecureContext;
  readonly #timeout: number;
  readonly #now: () => number;
  readonly #waiting = new WaitingLine<AcceptedDevice>('accept');
  #shaking = 0;

  constructor(listener: Listener, service: TlsServiceIdentity, timeout: number, now: () => number) {
    this.#listener = listener;
    this.#service = service;
    this.#timeout = timeout;
    this.#now = now;
    try {
      this.#context = contextOf(service);
    } catch (error) {
      listener.destroy();
      throw error;
    }
    void this.#serve();
  }

  /** From the next peer on it answers as this. Throws `BadArgument`, and stays what it was. */
  renew(service: TlsServiceIdentity): void {
    this.#context = contextOf(service);
    this.#service = service;
  }

  async #serve(): Promise<void> {
    while (!this.#waiting.isClosed) {
      try {
        const accepted = await this.#listener.accept();
        if (this.#shaking >= MOST_HANDSHAKES || this.#waiting.length >= MOST_WAITING)
          accepted.stream.destroy();
        else void this.#meet(accepted);
      } catch {
        // Closed: nobody comes any more.
        return;
      }
    }
  }

  /** Whoever does not prove to be a device of the roots is sent away, and nobody is told. */
  async #meet(accepted: Accepted): Promise<void> {
    const { TLSSocket } = tls();
    const socket = new TLSSocket(accepted.stream, {
      isServer: true,
      secureContext: this.#context,
      requestCert: true,
      // Judged below, at the board's own time.
      rejectUnauthorized: false,
    });
    socket.on('error', () => {});
    this.#shaking += 1;
    try {
      await withDeadline(secured(socket), AbortSignal.timeout(this.#timeout), AbortSignal.any([]));
      const deviceId = judgeDevice(socket, this.#service, this.#now());
      if (this.#waiting.isClosed) throw new NetworkError('NetworkClosed', 'The socket was closed.');
      this.#waiting.add({ ...accepted, stream: socket, deviceId });
    } catch {
      socket.destroy();
      accepted.stream.destroy();
    } finally {
      this.#shaking -= 1;
    }
  }

  accept(): Promise<AcceptedDevice> {
    return this.#waiting.take();
  }

  destroy(): void {
    this.#listener.destroy();
    for (const { stream } of this.#waiting.close()) stream.destroy();
  }
}

function contextOf({ chain, key }: TlsServiceIdentity): SecureContext {
  try {
    return tls().createSecureContext({ ...credentialsOf(chain, key), minVersion: 'TLSv1.3' });
  } catch (cause) {
    throw new NetworkError('BadArgument', 'The given certificates or key cannot be used.', { cause });
  }
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    // Node's name for the end of the handshake on the server's side.
    socket.once('secure', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new NetworkError('ConnectionLost', 'The peer hung up.')));
  });
}
