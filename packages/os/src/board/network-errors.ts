import { SevenfoldError } from '@sevenfold/formats';

/** Why a network call of the board failed. Closed: the kernel and the services decide by these codes. */
export type NetworkErrorCode =
  /** No such call, or an argument of the wrong shape: a defect of the caller. */
  | 'UnknownCall'
  | 'BadArgument'
  /** The number of sessions or connections is bounded. */
  | 'TooManySessions'
  | 'NoSuchSession'
  | 'SessionBusy'
  /** Somebody listens on this port already. */
  | 'AddressInUse'
  /** Nobody there, or not for long enough: worth another try later. */
  | 'NameNotResolved'
  | 'ConnectionRefused'
  | 'ConnectionTimeout'
  | 'ConnectionLost'
  /** No interface that is up leads there. */
  | 'NetworkUnreachable'
  /** The proxy opened no tunnel. */
  | 'ProxyRefused'
  | 'ResponseTimeout'
  /** The server's chain does not lead to the given roots, or it is not valid for this name and time. */
  | 'ServerNotTrusted'
  /** The server ended the handshake: it did not accept our certificate, version or parameters. */
  | 'HandshakeRefused'
  /** What came back is no HTTP response, or larger than allowed. */
  | 'BadResponse'
  | 'ResponseTooLarge'
  /** The radio did not join: no such network, another kind of security, a wrong key, a client that is not known. */
  | 'RadioNoSuchNetwork'
  | 'RadioOtherSecurity'
  | 'RadioWrongKey'
  | 'RadioNotAuthenticated'
  /** Of EAP-TLS: one side did not accept the other's certificate. */
  | 'RadioServerNotTrusted'
  | 'RadioClientRefused'
  /** The board's network was closed (power-off). */
  | 'NetworkClosed';

/** A network call of the board failed. `code` crosses the port to the kernel. */
export class NetworkError extends SevenfoldError<NetworkErrorCode> {}

const SYSTEM_CODES: Readonly<Record<string, NetworkErrorCode>> = {
  EADDRINUSE: 'AddressInUse',
  ECONNREFUSED: 'ConnectionRefused',
  ENOTFOUND: 'NameNotResolved',
  EAI_AGAIN: 'NameNotResolved',
  ENETUNREACH: 'NetworkUnreachable',
  EHOSTUNREACH: 'ConnectionRefused',
  ETIMEDOUT: 'ConnectionTimeout',
};

/** Translates what `node:tls` and `node:http` throw; a NetworkError stays what it is. */
export function toNetworkError(error: unknown): NetworkError {
  if (error instanceof NetworkError) return error;
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
  const text = error instanceof Error ? error.message : String(error);
  const known = SYSTEM_CODES[code];
  if (known !== undefined)
    return new NetworkError(known, `The connection failed: ${text}.`, { cause: error });
  if (/ALERT/.test(code)) {
    return new NetworkError('HandshakeRefused', `The server refused the handshake: ${code}.`, {
      cause: error,
    });
  }
  if (code.startsWith('HPE_')) {
    return new NetworkError('BadResponse', `The server's answer is not HTTP: ${code}.`, { cause: error });
  }
  return new NetworkError('ConnectionLost', `The connection was lost: ${text} (${code}).`, { cause: error });
}
