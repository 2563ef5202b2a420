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
import { socketCalls } from './network-sockets.ts';
import { NetworkTable } from './network-table.ts';
import { Radio, type AccessPoint } from './radio.ts';
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
  'resolveName',
  'tcpConnect',
  'tcpListen',
  'tcpAccept',
  'tcpRead',
  'tcpWrite',
  'tcpShutdown',
  'udpOpen',
  'udpSend',
  'udpReceive',
  'socketClose',
  'radioScan',
  'radioJoin',
  'radioLeave',
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
  /** DNS servers for apps' names, as `address:port`; default: `resolve` answers, and its answers last a minute. */
  readonly nameServers?: readonly string[];
  /** The board's own IPv4 address, on which apps listen; default 127.0.0.1. */
  readonly address?: string;
  /** Addresses (`a.b.c.d/n`) that are the device's own and that no DNS answer may name; default the service network. */
  readonly ownNetworks?: readonly string[];
  /** Sockets of apps at a time; default 64. */
  readonly maxSockets?: number;
  /** What the board's radio hears; default: nothing. */
  readonly accessPoints?: readonly AccessPoint[];
}

const MAX_READ = 65_536;
const MAX_WRITE = 1024 * 1024;
const MAX_EXPORT = 255;
const EXPORTER_LABEL_FORM = /^[\x20-\x7e]{1,249}$/;

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
  const sessions = new NetworkTable<HttpsSession>('session', options.maxSessions ?? 8);
  const streams = new NetworkTable<TlsStream>('connection', options.maxConnections ?? 32);
  const closed = new AbortController();
  const radio = new Radio(options.accessPoints ?? []);
  const sockets = socketCalls(
    {
      resolve: options.resolve ?? systemResolve,
      nameServers: options.nameServers ?? [],
      address: options.address ?? '127.0.0.1',
      ownNetworks: options.ownNetworks ?? ['192.168.35.0/24'],
      connectTimeout: options.connectTimeout ?? 10_000,
      maxSockets: options.maxSockets ?? 64,
    },
    closed.signal,
  );

  const calls: Record<
    (typeof NETWORK_CALLS)[number],
    (args: readonly PortValue[]) => Promise<PortValue> | PortValue
  > = {
    radioScan: ([targets]) => radio.scan(targets),
    radioJoin: ([target]) => radio.join(target),
    radioLeave: () => null,
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
    ...sockets.calls,
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
      sockets.close();
      return Promise.resolve();
    },
  };
}
