import { duplexPair } from 'node:stream';
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls';
import { NetworkError } from './network-errors.ts';
import { tls } from './node-network.ts';

/** Certificates and keys as text (PEM), as the device's certificate store has them. */
export interface EapClient {
  readonly certificate: string;
  readonly key: string;
  /** Of the key; empty: it has none. */
  readonly password: string;
  /** Whose word counts for the network's server; empty: anybody's. */
  readonly root: string;
}

/** The authentication server behind an access point. */
export interface EapServer {
  readonly certificate: string;
  readonly key: string;
  /** Whose word counts for clients: authorities that signed themselves, and those below them. */
  readonly clientRoots: string;
}

const PATIENCE = 5000;

const refused = (
  code: 'RadioServerNotTrusted' | 'RadioClientRefused',
  why: string,
  cause?: unknown,
): NetworkError => new NetworkError(code, why, { cause });

/**
 * EAP-TLS (RFC 5216): the handshake of TLS between a client and the network's authentication server, nothing after it.
 * What EAP puts around its messages is left out. RadioServerNotTrusted: the client does not believe the server;
 * RadioClientRefused: the server does not believe the client, or the client has no usable key. `now`: ms since 1970.
 */
export async function authenticate(client: EapClient, server: EapServer, now: number): Promise<void> {
  const [near, far] = duplexPair();
  const authenticator = tls().createServer({
    cert: server.certificate,
    key: server.key,
    ca: server.clientRoots,
    requestCert: true,
    rejectUnauthorized: false,
  });
  authenticator.on('tlsClientError', () => {});
  const met = new Promise<TLSSocket>((resolve) => {
    authenticator.once('secureConnection', resolve);
  });
  let supplicant: TLSSocket | null = null;
  try {
    authenticator.emit('connection', far);
    supplicant = begin(client, near);
    await within(secured(supplicant));
    const isBelieved = supplicant.authorized && isValid(supplicant.getPeerCertificate(), now);
    if (client.root !== '' && !isBelieved)
      throw refused('RadioServerNotTrusted', 'The network’s server shows no certificate of the given root.');
    const seen = await within(met);
    seen.on('error', () => {});
    const isKnown = seen.authorized && isValid(seen.getPeerCertificate(), now);
    seen.destroy();
    if (!isKnown) throw refused('RadioClientRefused', 'The network does not accept this certificate.');
  } finally {
    supplicant?.destroy();
    near.destroy();
    far.destroy();
  }
}

function begin(
  { certificate, key, password, root }: EapClient,
  stream: ConnectionOptions['socket'],
): TLSSocket {
  try {
    const socket = tls().connect({
      ...(stream === undefined ? {} : { socket: stream }),
      cert: certificate,
      key,
      ...(password === '' ? {} : { passphrase: password }),
      ...(root === '' ? {} : { ca: root }),
      // A network has no host name: the root alone decides.
      checkServerIdentity: () => undefined,
      rejectUnauthorized: false,
    });
    socket.on('error', () => {});
    return socket;
  } catch (cause) {
    throw refused('RadioClientRefused', 'Certificate and key do not belong together.', cause);
  }
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve());
    socket.once('error', (cause) => reject(refused('RadioClientRefused', 'The handshake failed.', cause)));
    socket.once('close', () => reject(refused('RadioClientRefused', 'The network broke the handshake off.')));
  });
}

/** OpenSSL judged it by the machine's clock; the board's may be another. */
function isValid({ valid_from: from, valid_to: to }: PeerCertificate, now: number): boolean {
  return Date.parse(from) <= now && now <= Date.parse(to);
}

function within<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(refused('RadioClientRefused', 'The network did not answer in time.')),
      PATIENCE,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
