import type { PortValue } from '@sevenfold/formats';
import {
  bytesArgument,
  integerArgument,
  parseHttp2Request,
  parseHttpsRequest,
  parseServiceIdentity,
  parseTlsService,
  parseTlsTarget,
  textArgument,
} from './network-arguments.ts';
import { NetworkError } from './network-errors.ts';
import type { Http2Exchange } from './network-http2.ts';
import { HttpsSession } from './network-https.ts';
import { numberOf, Routes } from './network-routes.ts';
import { openListener, socketCalls } from './network-sockets.ts';
import { NetworkTable } from './network-table.ts';
import { TlsListener } from './network-tls-listener.ts';
import { TlsStream } from './network-tls-stream.ts';
import type { PrivateNetwork } from './private-network.ts';
import { Radio, type AccessPoint } from './radio.ts';
import { connectTls, systemResolve, type TlsOptions } from './network-tls.ts';

/** The network calls of `KERNEL_HARDWARE_CALLS`. */
export const NETWORK_CALLS = [
  'httpsOpen',
  'httpsExporter',
  'httpsRequest',
  'httpsClose',
  'tlsConnect',
  'tlsRead',
  'tlsWrite',
  'tlsClose',
  'tlsExporter',
  'tlsProtocol',
  'tlsListen',
  'tlsAccept',
  'tlsRenew',
  'tlsUnlisten',
  'http2Request',
  'http2Head',
  'http2Read',
  'http2Close',
  'setTime',
  'resolveName',
  'tcpConnect',
  'tcpConnectHost',
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
  'linkSet',
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
  /** The private network that is plugged into the board's Ethernet; default: the machine's network is. */
  readonly privateNetwork?: PrivateNetwork;
  /** What the board's radio hears; default: nothing. */
  readonly accessPoints?: readonly AccessPoint[];
}

const MOST_TLS_LISTENERS = 4;
const MOST_EXCHANGES = 32;
const MAX_READ = 65_536;
const MAX_WRITE = 1024 * 1024;
const MAX_EXPORT = 255;
const EXPORTER_LABEL_FORM = /^[\x20-\x7e]{1,249}$/;

/** Makes a board's network on the machine's own sockets. */
export function createBoardNetwork(options: BoardNetworkOptions = {}): BoardNetwork {
  const address = options.address ?? '127.0.0.1';
  const connectTimeout = options.connectTimeout ?? 10_000;
  const routes = new Routes(options.privateNetwork?.plug() ?? null, address);
  const tlsOptions = (minVersion: TlsOptions['minVersion']): TlsOptions => ({
    resolve: options.resolve ?? systemResolve,
    routes,
    connectTimeout,
    minVersion,
    now: options.now ?? null,
  });
  const socketOptions = {
    resolve: options.resolve ?? systemResolve,
    nameServers: options.nameServers ?? [],
    address,
    ownNetworks: options.ownNetworks ?? ['192.168.35.0/24'],
    connectTimeout,
    maxSockets: options.maxSockets ?? 64,
    routes,
  };
  const limits = {
    maxResponse: options.maxResponse ?? 4 * 1024 * 1024,
    responseTimeout: options.responseTimeout ?? 30_000,
  };
  const sessions = new NetworkTable<HttpsSession>('session', options.maxSessions ?? 8);
  const streams = new NetworkTable<TlsStream>('connection', options.maxConnections ?? 32);
  const closed = new AbortController();
  const radio = new Radio(options.accessPoints ?? [], options.now);
  const sockets = socketCalls(socketOptions, closed.signal);
  const listeners = new NetworkTable<TlsListener>('listener', MOST_TLS_LISTENERS);
  const exchanges = new NetworkTable<Http2Exchange>('exchange', MOST_EXCHANGES);

  const calls: Record<
    (typeof NETWORK_CALLS)[number],
    (args: readonly PortValue[]) => Promise<PortValue> | PortValue
  > = {
    radioScan: ([targets]) => radio.scan(targets),
    async radioJoin([target]) {
      await radio.join(target);
      routes.setJoined(true);
      return null;
    },
    radioLeave() {
      routes.setJoined(false);
      return null;
    },
    linkSet: (args) => routes.setLink(args),
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
    tlsProtocol: ([id]) => streams.get(id).protocol,
    tlsListen: ([untrusted]) =>
      listeners.add(async () => {
        const service = parseTlsService(untrusted);
        const listener = await openListener(socketOptions, service.port, service.backlog);
        return new TlsListener(listener, service, connectTimeout, options.now ?? Date.now);
      }),
    async tlsAccept([id]) {
      const { stream, deviceId, address, port } = await listeners.get(id).accept();
      try {
        const connection = await streams.add(() => Promise.resolve(new TlsStream(stream)));
        return { connection, deviceId, address: numberOf(address), port };
      } catch (error) {
        stream.destroy();
        throw error;
      }
    },
    tlsRenew([id, untrusted]) {
      listeners.get(id).renew(parseServiceIdentity(untrusted));
      return null;
    },
    tlsUnlisten([id]) {
      listeners.take(id).destroy();
      return null;
    },
    http2Request: ([id, untrusted]) => {
      const session = streams.get(id).http2();
      return exchanges.add(async () => session.request(parseHttp2Request(untrusted)));
    },
    http2Head: ([id]) => exchanges.get(id).head(),
    http2Read: ([id, most]) => exchanges.get(id).read(Math.max(1, integerArgument(most, 'most', MAX_READ))),
    http2Close([id]) {
      exchanges.take(id).destroy();
      return null;
    },
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
      for (const exchange of exchanges.takeAll()) exchange.destroy();
      for (const stream of streams.takeAll()) stream.destroy();
      for (const listener of listeners.takeAll()) listener.destroy();
      routes.wire?.unplug();
      sockets.close();
      return Promise.resolve();
    },
  };
}
