import { toBase64Url, utf8Encode } from '@sevenfold/formats';

/** What a request's own token says; it is good for this one request, for a minute. */
export interface RequestClaims {
  /** Origin of the service, as the client addressed it. */
  readonly aud: string;
  readonly htm: string;
  /** Path and query. */
  readonly htu: string;
  /** Seconds since 1970. */
  readonly iat: number;
  readonly exp: number;
  /** SHA-256 of the body, base64url. */
  readonly bh: string;
  /** Different in every token: one that asks for a change is good once. */
  readonly jti?: string;
}

/** Turns claims into a compact JWS (RFC 7515) with `alg` ES256 and `kid` = principal id. */
export type RequestSigner = (claims: RequestClaims) => Promise<string>;

/**
 * A signer over any key that can sign: a file, a token, a browser's key.
 * `sign` answers r‖s (64 bytes) of ECDSA P-256 over SHA-256 of the message (RFC 7518 §3.4).
 */
export function createRequestSigner(
  principalId: string,
  sign: (message: Uint8Array) => Promise<Uint8Array>,
): RequestSigner {
  const header = toBase64Url(utf8Encode(JSON.stringify({ alg: 'ES256', typ: 'JWT', kid: principalId })));
  return async (claims) => {
    const input = `${header}.${toBase64Url(utf8Encode(JSON.stringify(claims)))}`;
    return `${input}.${toBase64Url(await sign(utf8Encode(input)))}`;
  };
}
