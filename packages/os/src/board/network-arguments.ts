import { isBytes, type PortValue } from '@sevenfold/formats';
import { NetworkError } from './network-errors.ts';

/** Whom to connect to, whom to believe and as whom: the argument of `httpsOpen` and `tlsConnect`. */
export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  /** The name that the server's certificate must be valid for. */
  readonly serverName: string;
  /** DER certificates; the server's chain must lead to one of them. Never empty. */
  readonly roots: readonly Uint8Array[];
  /** Leaf first, DER, and its PKCS#8 key: both or neither. */
  readonly client: { readonly chain: readonly Uint8Array[]; readonly key: Uint8Array } | null;
  readonly alpn: readonly string[];
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

/** Parses the argument of `httpsOpen` and `tlsConnect`. */
export function parseTlsTarget(untrusted: PortValue | undefined): TlsTarget {
  if (!isRecord(untrusted)) return refuse('target', 'an object');
  const chain = untrusted['clientChain'] ?? null;
  const key = untrusted['clientKey'] ?? null;
  if ((chain === null) !== (key === null)) refuse('clientKey', 'given together with clientChain');
  const alpn = untrusted['alpn'] ?? [];
  if (!Array.isArray(alpn) || alpn.length > 8) return refuse('alpn', 'at most 8 protocol names');
  const port = integerArgument(untrusted['port'], 'port', 65_535);
  if (port === 0) refuse('port', 'a number from 1 to 65535');
  return {
    host: textArgument(untrusted['host'], 'host', /^[A-Za-z0-9._:-]{1,253}$/),
    port,
    serverName: textArgument(untrusted['serverName'], 'serverName', /^[A-Za-z0-9._:-]{1,253}$/),
    roots: certificates(untrusted['roots'], 'roots'),
    client:
      chain === null
        ? null
        : { chain: certificates(chain, 'clientChain'), key: bytesArgument(key, 'clientKey', 8192) },
    alpn: alpn.map((name: PortValue) => textArgument(name, 'alpn', /^[\x21-\x7e]{1,255}$/)),
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
