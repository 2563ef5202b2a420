import type { PortValue } from '@sevenfold/formats';
import {
  bytesArgument,
  integerArgument,
  parseHttpsRequest,
  parseTlsTarget,
  textArgument,
} from './network-arguments.ts';
import { NetworkError } from './network-errors.ts';
import { HttpsSession } from './network-https.ts';
import { TlsStream } from './network-stream.ts';
import { connectTls, systemResolve, type TlsOptions } from './network-tls.ts';

/** The network calls of `KERNEL_HARDWARE_CALLS`. */
const NETWORK_CALLS = [
  'httpsOpen',
  'httpsExporter',
  'httpsRequest',
  'httpsClose',
  'tlsConnect',
  'tlsRead',
  'tlsWrite',
  'tlsClose',
  'tlsExporter',
  'setTime',
] as const;

/** A board's network: TLS connections for apps, HTTPS sessions for the OS services, and the wall clock. */
export interface BoardNetwork {
  /** Answers one of `NETWORK_CALLS`; everything else is refused with `UnknownCall`. Rejects with NetworkError. */
  handle(method: string, args: readonly PortValue[]): Promise<PortValue>;
  /** Ends every session and connection; later calls are refused with `NetworkClosed`. */
  close(): Promise<void>;
}

/** How a board reaches the world; everything is optional. */
export interface BoardNetworkOptions {
  /** Name → address; null: there is no such name. Default: the machine's resolver. */
  readonly resolve?: (host: string) => Promise<string | null> | string | null;
  /**
   * The board's own time, ms since 1970, where it is not the machine's (virtual time): servers are then judged at
   * that time, and only those whose chains are of P-256 throughout.
   */
  readonly now?: () => number;
  /** Told the time (ms since 1970) that the OS learnt from its authenticated service. */
  readonly setTime?: (milliseconds: number) => void;
  /** Milliseconds for name, connection and handshake together; default 10,000. */
  readonly connectTimeout?: number;
  /** Milliseconds for one HTTP exchange; default 30,000. */
  readonly responseTimeout?: number;
  /** Bytes of an HTTP response body, at most; default 4 MiB. */
  readonly maxResponse?: number;
  /** HTTPS sessions at a time; default 8. */
  readonly maxSessions?: number;
  /** TLS connections of apps at a time; default 32. */
  readonly maxConnections?: number;
}

const MAX_READ = 65_536;
const MAX_WRITE = 1024 * 1024;
const MAX_EXPORT = 255;
const MAX_ID = 2 ** 31;
const EXPORTER_LABEL_FORM = /^[\x20-\x7e]{1,249}$/;

/** Slots for what is open or being opened, by a number that is never used twice. */
class Table<T> {
  readonly #entries = new Map<number, T>();
  readonly #most: number;
  readonly #what: string;
  #opening = 0;
  #next = 1;

  constructor(what: string, most: number) {
    this.#what = what;
    this.#most = most;
  }

  async add(open: () => Promise<T>): Promise<number> {
    if (this.#entries.size + this.#opening >= this.#most) {
      throw new NetworkError(
        'TooManySessions',
        `At most ${this.#most} ${this.#what}s may be open at a time.`,
      );
    }
    this.#opening += 1;
    try {
      const entry = await open();
      const id = this.#next;
      this.#next += 1;
      this.#entries.set(id, entry);
      return id;
    } finally {
      this.#opening -= 1;
    }
  }

  get(untrustedId: PortValue | undefined): T {
    const entry = this.#entries.get(integerArgument(untrustedId, this.#what, MAX_ID));
    if (entry === undefined) throw new NetworkError('NoSuchSession', `There is no such ${this.#what}.`);
    return entry;
  }

  take(untrustedId: PortValue | undefined): T {
    const entry = this.get(untrustedId);
    if (typeof untrustedId === 'number') this.#entries.delete(untrustedId);
    return entry;
  }

  takeAll(): T[] {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    return entries;
  }
}

/** Makes a board's network on the machine's own sockets. */
export function createBoardNetwork(options: BoardNetworkOptions = {}): BoardNetwork {
  const tlsOptions = (minVersion: TlsOptions['minVersion']): TlsOptions => ({
    resolve: options.resolve ?? systemResolve,
    connectTimeout: options.connectTimeout ?? 10_000,
    minVersion,
    now: options.now ?? null,
  });
  const limits = {
    maxResponse: options.maxResponse ?? 4 * 1024 * 1024,
    responseTimeout: options.responseTimeout ?? 30_000,
  };
  const sessions = new Table<HttpsSession>('session', options.maxSessions ?? 8);
  const streams = new Table<TlsStream>('connection', options.maxConnections ?? 32);
  const closed = new AbortController();

  const calls: Record<
    (typeof NETWORK_CALLS)[number],
    (args: readonly PortValue[]) => Promise<PortValue> | PortValue
  > = {
    httpsOpen: ([untrusted]) =>
      sessions.add(async () => {
        const target = parseTlsTarget(untrusted);
        // TLS 1.3 only: its exporter binds the attestation to this connection (RFC 9266 §4.2 on older versions).
        return new HttpsSession(
          await connectTls(target, tlsOptions('TLSv1.3'), closed.signal),
          target,
          limits,
        );
      }),
    httpsExporter: ([id, label, length]) =>
      sessions
        .get(id)
        .exporter(
          textArgument(label, 'label', EXPORTER_LABEL_FORM),
          integerArgument(length, 'length', MAX_EXPORT),
        ),
    httpsRequest: async ([id, untrusted]) => ({
      ...(await sessions.get(id).request(parseHttpsRequest(untrusted))),
    }),
    httpsClose: ([id]) => {
      sessions.take(id).close();
      return null;
    },
    tlsConnect: ([untrusted]) =>
      streams.add(
        async () =>
          new TlsStream(await connectTls(parseTlsTarget(untrusted), tlsOptions('TLSv1.2'), closed.signal)),
      ),
    tlsRead: ([id, most]) => streams.get(id).read(Math.max(1, integerArgument(most, 'most', MAX_READ))),
    tlsWrite: async ([id, bytes]) => {
      await streams.get(id).write(bytesArgument(bytes, 'bytes', MAX_WRITE));
      return null;
    },
    tlsClose: ([id]) => {
      streams.take(id).close();
      return null;
    },
    tlsExporter: ([id, label, length]) =>
      streams
        .get(id)
        .exporter(
          textArgument(label, 'label', EXPORTER_LABEL_FORM),
          integerArgument(length, 'length', MAX_EXPORT),
        ),
    setTime: ([milliseconds]) => {
      const time = integerArgument(milliseconds, 'milliseconds', 8.64e15);
      options.setTime?.(time);
      return null;
    },
  };

  return {
    async handle(method, args) {
      if (closed.signal.aborted)
        throw new NetworkError('NetworkClosed', 'The network of this board is closed.');
      const name = NETWORK_CALLS.find((known) => known === method);
      if (name === undefined) throw new NetworkError('UnknownCall', `The network has no call ${method}.`);
      return calls[name](args);
    },
    close() {
      closed.abort();
      for (const session of sessions.takeAll()) session.close();
      for (const stream of streams.takeAll()) stream.destroy();
      return Promise.resolve();
    },
  };
}
