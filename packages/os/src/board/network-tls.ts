import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { equalBytes, FormatError } from '@sevenfold/formats';
import {
  commonName,
  PkiError,
  parseCertificate,
  parseForeignCertificate,
  verifyChain,
  type Certificate,
} from '@sevenfold/pki';
import type { Peers, TlsTarget } from './network-arguments.ts';
import { NetworkError, toNetworkError } from './network-errors.ts';
import { openTunnel } from './network-proxy.ts';
import { textOf, type Dialled, type Routes } from './network-routes.ts';
import { dns, net, tls } from './node-network.ts';

/** How a board reaches the world. */
export interface TlsOptions {
  /** Name → address; null: there is no such name. Default: the machine's resolver. */
  readonly resolve: (host: string) => Promise<string | null> | string | null;
  /** The board's interfaces. */
  readonly routes: Routes;
  /** Milliseconds for name, connection and handshake together. */
  readonly connectTimeout: number;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /**
   * The board's own time in ms since 1970, where it is not the machine's: then our own path validation judges the
   * server at that time, since OpenSSL knows the machine's time alone. Null: the machine's.
   */
  readonly now: (() => number) | null;
}

/** The machine's own resolver. */
export async function systemResolve(host: string): Promise<string | null> {
  if (net().isIP(host) !== 0) return host;
  return (await dns().lookup(host)).address;
}

function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/**
 * Opens a TCP connection to a host: by the address that the caller has resolved, by the board's resolver, or through a
 * proxy, which then resolves the name.
 */
export async function connectHost(
  target: Pick<TlsTarget, 'host' | 'port' | 'address' | 'proxy'>,
  { resolve, routes, connectTimeout }: Pick<TlsOptions, 'resolve' | 'routes' | 'connectTimeout'>,
  closed: AbortSignal,
): Promise<Dialled> {
  const { host, port } = target.proxy ?? target;
  const address =
    target.proxy === null && target.address !== null
      ? textOf(target.address)
      : net().isIPv4(host)
        ? host
        : await resolve(host);
  if (address === null)
    throw new NetworkError('NameNotResolved', `There is no host named ${host}.`, { field: 'host' });
  const dialled = await routes.dial(address, port, connectTimeout, closed);
  if (target.proxy === null) return dialled;
  try {
    await openTunnel(dialled.stream, target.host, target.port, target.proxy);
    return dialled;
  } catch (error) {
    dialled.stream.destroy();
    throw error;
  }
}

/**
 * Opens a TLS connection whose server is authenticated by the target's roots alone (`ca` replaces the
 * machine's own roots) and by its `serverName` (RFC 9525), or as a device by them. Resolves after the handshake; sends
 * nothing.
 */
export async function connectTls(
  target: TlsTarget,
  options: TlsOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.connectTimeout)]);
  const dialling = connectHost(target, options, signal);
  dialling.then(
    // The one that comes when nobody waits for it any more.
    ({ stream }) => deadline.aborted && stream.destroy(),
    () => undefined,
  );
  const { stream } = await withDeadline(dialling, deadline, signal);
  const socket = beginHandshake(target, stream, options);
  try {
    await withDeadline(handshake(socket), deadline, signal);
    if (target.peer === 'device') {
      const deviceId = judgeDevice(socket, target, options.now?.() ?? Date.now());
      if (target.deviceId !== null && deviceId !== target.deviceId)
        throw new NetworkError('ServerNotTrusted', 'It is another device.', { rule: target.deviceId });
    }
    if (target.peer === 'server' && options.now !== null) judgeServer(socket, target, options.now());
    // Losses between two calls are seen by the next call; without a listener they would end the process.
    socket.on('error', () => {});
    return socket;
  } catch (error) {
    socket.on('error', () => {});
    socket.destroy();
    stream.destroy();
    throw error;
  }
}

/** Certificates and key as OpenSSL takes them. */
export function credentialsOf(
  chain: readonly Uint8Array[],
  key: Uint8Array,
): { readonly cert: string; readonly key: string } {
  return {
    cert: chain.map((certificate) => pem('CERTIFICATE', certificate)).join(''),
    key: pem('PRIVATE KEY', key),
  };
}

function beginHandshake(target: TlsTarget, stream: Duplex, options: TlsOptions): TLSSocket {
  try {
    return tls().connect({
      socket: stream,
      // SNI carries names only (RFC 6066 §3); the identity check below takes addresses as well.
      ...(net().isIP(target.serverName) === 0 ? { servername: target.serverName } : {}),
      checkServerIdentity: (_host, certificate) => tls().checkServerIdentity(target.serverName, certificate),
      ca: target.roots.map((root) => pem('CERTIFICATE', root)),
      ...(target.client === null ? {} : credentialsOf(target.client.chain, target.client.key)),
      ...(target.alpn.length === 0 ? {} : { ALPNProtocols: [...target.alpn] }),
      minVersion: options.minVersion,
      maxVersion: 'TLSv1.3',
      rejectUnauthorized: options.now === null && target.peer === 'server',
    });
  } catch (error) {
    stream.destroy();
    const rule = 'certificates and key are well-formed and belong together';
    throw new NetworkError('BadArgument', 'The given certificates or key cannot be used.', {
      rule,
      cause: error,
    });
  }
}

function handshake(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', (error) => {
      reject(socket.authorizationError == null ? toNetworkError(error) : notTrusted(error));
    });
    socket.once('close', () =>
      reject(new NetworkError('ConnectionLost', 'The server closed during the handshake.')),
    );
  });
}

/** RFC 5280 §6 and RFC 9525 at the board's own time. Nothing was sent to the server yet but the handshake. */
function judgeServer(socket: TLSSocket, target: TlsTarget, now: number): void {
  const identity = tls().checkServerIdentity(target.serverName, socket.getPeerCertificate());
  if (identity !== undefined) throw notTrusted(identity);
  judgeChain(presentedBy(socket), target.roots, now, 'serverAuth');
}

/**
 * The other end as a device: its certificate is one for clients, leads to the given roots, or to one that followed the
 * first of them, and holds now. Gives the common name that it carries: the device's id.
 */
export function judgeDevice(socket: TLSSocket, { roots, issuer }: Peers, now: number): string {
  const presented = presentedBy(socket);
  const follower = issuer === null ? null : followerAmong(presented, roots, issuer, now);
  const { subject } = judgeChain(presented, follower === null ? roots : [follower], now, 'clientAuth');
  const name = commonName(subject);
  if (name === null) throw new NetworkError('ServerNotTrusted', 'The certificate names no device.');
  return name;
}

/** DER of what the peer has shown, its own certificate first. */
function presentedBy(socket: TLSSocket): readonly Uint8Array[] {
  const presented: Uint8Array[] = [];
  let next: X509Certificate | undefined = socket.getPeerX509Certificate();
  while (next !== undefined && presented.length < 8) {
    presented.push(new Uint8Array(next.raw));
    next = next.issuerCertificate;
  }
  return presented;
}

/**
 * The authority that the peer shows above its own certificate, if it is the one that followed the first root: of the
 * same name, certified by the same issuer, and of a later day. One of an earlier day may have been taken back.
 */
function followerAmong(
  [, shown]: readonly Uint8Array[],
  [root]: readonly Uint8Array[],
  issuer: Uint8Array,
  now: number,
): Uint8Array | null {
  if (shown === undefined || root === undefined) return null;
  try {
    const [leaf, own] = [parseCertificate(shown), parseCertificate(root)];
    if (!equalBytes(leaf.subject.der, own.subject.der) || leaf.notBefore <= own.notBefore) return null;
    verifyChain({ leaf, intermediates: [], roots: [parseCertificate(issuer)], now, purpose: null });
    return shown;
  } catch (error) {
    if (error instanceof PkiError || error instanceof FormatError) return null;
    throw error;
  }
}

function judgeChain(
  presented: readonly Uint8Array[],
  trusted: readonly Uint8Array[],
  now: number,
  purpose: 'serverAuth' | 'clientAuth',
): Certificate {
  // Servers are the world's, and so are their authorities; devices are ours.
  const isForeign = purpose === 'serverAuth';
  const parse = isForeign ? parseForeignCertificate : parseCertificate;
  try {
    const [leaf, ...intermediates] = presented.map((der) => parse(der));
    if (leaf === undefined) throw new NetworkError('ServerNotTrusted', 'The peer has no certificate.');
    const roots = trusted.map((root) => parse(root));
    verifyChain({ leaf, intermediates, roots, now, purpose, mayBeUnrestricted: isForeign });
    return leaf;
  } catch (error) {
    throw error instanceof PkiError ? notTrusted(error) : error;
  }
}

function notTrusted(error: Error): NetworkError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
  return new NetworkError(
    'ServerNotTrusted',
    `The server's certificate is not trusted: ${error.message} (${code}).`,
    {
      rule: code,
      cause: error,
    },
  );
}

/** Rejects when the deadline passes first: with NetworkClosed if the board's network was closed. */
export function withDeadline<T>(work: Promise<T>, deadline: AbortSignal, closed: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reject(
        closed.aborted
          ? new NetworkError('NetworkClosed', 'The network of this board is closed.')
          : new NetworkError('ConnectionTimeout', 'The server did not answer in time.'),
      );
    };
    if (deadline.aborted) stop();
    deadline.addEventListener('abort', stop, { once: true });
    work
      .then(resolve, (error: unknown) => reject(toNetworkError(error)))
      .finally(() => deadline.removeEventListener('abort', stop));
  });
}

/** Keying material of this very connection (RFC 8446 §7.5, empty context). */
export function exportKeyingMaterial(socket: TLSSocket, label: string, length: number): Uint8Array {
  if (socket.destroyed) throw new NetworkError('ConnectionLost', 'The connection has ended.');
  return new Uint8Array(socket.exportKeyingMaterial(length, label, Buffer.alloc(0)));
}
