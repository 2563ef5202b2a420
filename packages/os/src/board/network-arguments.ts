import { isBytes, type PortValue } from '@sevenfold/formats';
import { NetworkError } from './network-errors.ts';

/** An HTTP proxy. */
export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
  /** Of basic authentication (RFC 7617); null: none. */
  readonly credentials: { readonly username: string; readonly password: string } | null;
}

/** Whom to connect to, whom to believe and as whom: the argument of `httpsOpen` and `tlsConnect`. */
export interface TlsTarget {
  readonly host: string;
  /** IPv4, where the caller has resolved the name itself; null: the board does. */
  readonly address: number | null;
  /** What opens the connection in the board's place; null: the board itself. */
  readonly proxy: ProxyTarget | null;
  readonly port: number;
  /** The name that the server's certificate must be valid for. */
  readonly serverName: string;
  /** DER certificates; the server's chain must lead to one of them. Never empty. */
  readonly roots: readonly Uint8Array[];
  /** See `Peers`. */
  readonly issuer: Uint8Array | null;
  /** Leaf first, DER, and its PKCS#8 key: both or neither. */
  readonly client: { readonly chain: readonly Uint8Array[]; readonly key: Uint8Array } | null;
  readonly alpn: readonly string[];
  /** `device`: the peer shows a device's certificate, which carries no host name. */
  readonly peer: 'server' | 'device';
  /** The device that it must be; null: any. */
  readonly deviceId: string | null;
}

/** Whose devices are believed. */
export interface Peers {
  /** DER certificates of authorities; the first is the one that certified this device. Never empty. */
  readonly roots: readonly Uint8Array[];
  /** What certified the first of them: a later authority of the same name is one as well. Null: none is. */
  readonly issuer: Uint8Array | null;
}

/** As whom a board answers TLS, and whose devices may come. */
export interface TlsServiceIdentity extends Peers {
  readonly chain: readonly Uint8Array[];
  readonly key: Uint8Array;
}

/** How a board answers TLS. */
export interface TlsService extends TlsServiceIdentity {
  readonly port: number;
  readonly backlog: number;
}

/** One HTTP/2 request. */
export interface Http2Request {
  readonly method: string;
  readonly path: string;
  /** Host, and port unless it is 443. */
  readonly authority: string;
  /** Lower-case names; neither pseudo fields nor those of a connection (RFC 9113 §8.2.2). */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
}

/** One HTTP request of a session. */
export interface HttpsRequest {
  readonly method: string;
  readonly path: string;
  readonly contentType: string | null;
  readonly body: Uint8Array | null;
  /** First byte asked for (RFC 9110 §14.1.2), and how many; null: the whole. */
  readonly range: { readonly start: number; readonly length: number | null } | null;
}

const MAX_CERTIFICATES = 16;
const MAX_CERTIFICATE_BYTES = 16 * 1024;
/** Bytes of a request body, at most. */
const MAX_REQUEST_BODY = 1024 * 1024;
const MAX_ADDRESS = 0xffff_ffff;
const MAX_KEY = 8192;
const HOST_FORM = /^[A-Za-z0-9._:-]{1,253}$/;
/** No colon in a name (RFC 7617 §2), no control characters in either. */
const USER_FORM = /^[^\p{Cc}:]{0,255}$/u;
const PASSWORD_FORM = /^[^\p{Cc}]{0,255}$/u;

function refuse(field: string, rule: string): never {
  throw new NetworkError('BadArgument', `The argument ${field} is wrong: ${rule}.`, { field, rule });
}

function isRecord(value: PortValue | undefined): value is { readonly [key: string]: PortValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value);
}

/** A whole number in bounds. */
export function integerArgument(value: PortValue | undefined, field: string, most: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > most) {
    return refuse(field, `a whole number from 0 to ${most}`);
  }
  return value;
}

/** A text that matches and is not too long. */
export function textArgument(value: PortValue | undefined, field: string, form: RegExp): string {
  if (typeof value !== 'string' || value.length > 1024 || !form.test(value)) {
    return refuse(field, `a text like ${form.source}`);
  }
  return value;
}

/** Bytes, not too many. */
export function bytesArgument(value: PortValue | undefined, field: string, most: number): Uint8Array {
  if (!isBytes(value) || value.length > most) return refuse(field, `at most ${most} bytes`);
  return value;
}

function certificates(value: PortValue | undefined, field: string): Uint8Array[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_CERTIFICATES) {
    return refuse(field, `1 to ${MAX_CERTIFICATES} DER certificates`);
  }
  return value.map((item: PortValue) => bytesArgument(item, field, MAX_CERTIFICATE_BYTES));
}

function proxyArgument(value: PortValue | undefined): ProxyTarget | null {
  if (value === undefined || value === null) return null;
  if (!isRecord(value)) return refuse('proxy', 'an object');
  const { username = null, password = null } = value;
  return {
    host: textArgument(value['host'], 'proxy.host', HOST_FORM),
    port: integerArgument(value['port'], 'proxy.port', 65_535),
    credentials:
      username === null
        ? null
        : {
            username: textArgument(username, 'proxy.username', USER_FORM),
            password: textArgument(password ?? undefined, 'proxy.password', PASSWORD_FORM),
          },
  };
}

/** Parses the argument of `tcpConnectHost`: whom to reach, and through which proxy. */
export function parseHostTarget(
  untrusted: PortValue | undefined,
): Pick<TlsTarget, 'host' | 'port' | 'address' | 'proxy'> {
  if (!isRecord(untrusted)) return refuse('target', 'an object');
  const port = integerArgument(untrusted['port'], 'port', 65_535);
  if (port === 0) refuse('port', 'a number from 1 to 65535');
  const address = untrusted['address'] ?? null;
  return {
    host: textArgument(untrusted['host'], 'host', HOST_FORM),
    port,
    address: address === null ? null : integerArgument(address, 'address', MAX_ADDRESS),
    proxy: proxyArgument(untrusted['proxy']),
  };
}

function issuerArgument(value: PortValue | undefined): Uint8Array | null {
  return value === undefined || value === null ? null : bytesArgument(value, 'issuer', MAX_CERTIFICATE_BYTES);
}

/** Parses the second argument of `tlsRenew`. */
export function parseServiceIdentity(untrusted: PortValue | undefined): TlsServiceIdentity {
  if (!isRecord(untrusted)) return refuse('service', 'an object');
  return {
    chain: certificates(untrusted['chain'], 'chain'),
    key: bytesArgument(untrusted['key'], 'key', MAX_KEY),
    roots: certificates(untrusted['roots'], 'roots'),
    issuer: issuerArgument(untrusted['issuer']),
  };
}

/** Parses the argument of `tlsListen`. */
export function parseTlsService(untrusted: PortValue | undefined): TlsService {
  if (!isRecord(untrusted)) return refuse('service', 'an object');
  return {
    ...parseServiceIdentity(untrusted),
    port: integerArgument(untrusted['port'], 'port', 65_535),
    backlog: integerArgument(untrusted['backlog'], 'backlog', MAX_ADDRESS),
  };
}

/** Parses the argument of `httpsOpen` and `tlsConnect`. */
export function parseTlsTarget(untrusted: PortValue | undefined): TlsTarget {
  if (!isRecord(untrusted)) return refuse('target', 'an object');
  const chain = untrusted['clientChain'] ?? null;
  const key = untrusted['clientKey'] ?? null;
  if ((chain === null) !== (key === null)) refuse('clientKey', 'given together with clientChain');
  const alpn = untrusted['alpn'] ?? [];
  if (!Array.isArray(alpn) || alpn.length > 8) return refuse('alpn', 'at most 8 protocol names');
  const peer = untrusted['peer'] ?? 'server';
  if (peer !== 'server' && peer !== 'device') return refuse('peer', 'server or device');
  const deviceId = untrusted['deviceId'] ?? null;
  return {
    ...parseHostTarget(untrusted),
    peer,
    deviceId: deviceId === null ? null : textArgument(deviceId, 'deviceId', /^[0-9a-f]{1,128}$/),
    serverName: textArgument(untrusted['serverName'], 'serverName', HOST_FORM),
    roots: certificates(untrusted['roots'], 'roots'),
    issuer: issuerArgument(untrusted['issuer']),
    client:
      chain === null
        ? null
        : { chain: certificates(chain, 'clientChain'), key: bytesArgument(key, 'clientKey', MAX_KEY) },
    alpn: alpn.map((name: PortValue) => textArgument(name, 'alpn', /^[\x21-\x7e]{1,255}$/)),
  };
}

const MOST_FIELDS = 64;
const OF_A_CONNECTION =
  /^(?:connection|host|keep-alive|proxy-connection|transfer-encoding|upgrade|te|http2-settings)$/;

/** Parses the argument of `http2Request`. */
export function parseHttp2Request(untrusted: PortValue | undefined): Http2Request {
  if (!isRecord(untrusted)) return refuse('request', 'an object');
  const { fields, body = null } = untrusted;
  if (!Array.isArray(fields) || fields.length > MOST_FIELDS)
    return refuse('fields', `at most ${MOST_FIELDS} fields`);
  return {
    method: textArgument(untrusted['method'], 'method', /^[A-Z]{1,16}$/),
    path: textArgument(untrusted['path'], 'path', /^\/[\x21-\x7e]*$/),
    authority: textArgument(untrusted['authority'], 'authority', /^[A-Za-z0-9._:-]{1,260}$/),
    fields: fields.map((field: PortValue) => {
      if (!Array.isArray(field) || field.length !== 2) return refuse('fields', 'name and value');
      const [name, value] = field as readonly PortValue[];
      const known = textArgument(name, 'fields', /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/);
      if (OF_A_CONNECTION.test(known)) refuse('fields', 'no field of a connection');
      return [known, textArgument(value, 'fields', /^[\t\x20-\x7e]{0,1024}$/)] as const;
    }),
    body: body === null ? null : bytesArgument(body, 'body', MAX_REQUEST_BODY),
  };
}

/** Parses the argument of `httpsRequest`. */
export function parseHttpsRequest(untrusted: PortValue | undefined): HttpsRequest {
  if (!isRecord(untrusted)) return refuse('request', 'an object');
  const contentType = untrusted['contentType'] ?? null;
  const body = untrusted['body'] ?? null;
  const start = untrusted['rangeStart'] ?? null;
  const length = untrusted['rangeLength'] ?? null;
  if (start === null && length !== null) refuse('rangeLength', 'given together with rangeStart');
  return {
    method: textArgument(untrusted['method'], 'method', /^(GET|HEAD|POST|PUT|PATCH|DELETE)$/),
    path: textArgument(untrusted['path'], 'path', /^\/[\x21-\x7e]*$/),
    contentType:
      contentType === null
        ? null
        : textArgument(contentType, 'contentType', /^[\w.+-]+\/[\w.+-]+(; ?[\w=.-]+)?$/),
    body: body === null ? null : bytesArgument(body, 'body', MAX_REQUEST_BODY),
    range:
      start === null
        ? null
        : {
            start: integerArgument(start, 'rangeStart', Number.MAX_SAFE_INTEGER),
            length: length === null ? null : Math.max(1, integerArgument(length, 'rangeLength', 2 ** 31)),
          },
  };
}
