import { createPublicKey } from 'node:crypto';
import { isGuid } from '@sevenfold/formats';
import { jwtVerify, type JWTPayload } from 'jose';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { findPrincipal, type PrincipalWithKey } from './principals.ts';

/** How long a request's token may be good, and how far the two clocks may be apart, in seconds. */
const MOST_TOKEN_SECONDS = 60;
const CLOCK_TOLERANCE_SECONDS = 30;
/** A token of ours has some 400 characters. */
const MOST_TOKEN_LENGTH = 2048;

/** A request as it arrived, before its body was read. */
export interface SignedRequest {
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  readonly method: string;
  /** Path and query, as on the request line. */
  readonly target: string;
}

/** A request whose signature holds: `bodyHash` (base64url) is still to be compared with the body. */
export interface AuthenticatedRequest {
  readonly principal: PrincipalWithKey;
  readonly bodyHash: string;
  /** The token itself, and when it is over by this service's clock: ms since 1970. */
  readonly token: string;
  readonly until: number;
}

/**
 * Who made this request? Each check in its order, each failure `Unauthenticated` with the rule that was broken.
 * The algorithm is ours to say, never the token's (RFC 8725 §3.1), and the key is the registered one.
 */
export async function authenticateRequest(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  audiences: readonly string[],
  request: SignedRequest,
): Promise<AuthenticatedRequest> {
  const token = bearerToken(request.authorization);
  const { payload, principal } = await verifySignature(context, audiences, token);
  checkLifetime(payload, context.clock.now());
  if (payload['htm'] !== request.method) throw refusal('the token was made for another method', 'htm');
  if (payload['htu'] !== request.target) throw refusal('the token was made for another path or query', 'htu');
  const bodyHash = payload['bh'];
  if (typeof bodyHash !== 'string') throw refusal('the token must name the SHA-256 of the body', 'bh');
  const until = ((payload.exp ?? 0) + CLOCK_TOLERANCE_SECONDS) * 1000;
  return { principal, bodyHash, token, until };
}

/** Errors of this kind say what is wrong with the token, never which principals there are. */
export function refusal(rule: string, field?: string, cause?: unknown): ServiceError {
  return new ServiceError('Unauthenticated', 'The request is not signed as it must be.', {
    field,
    rule,
    cause,
  });
}

function bearerToken(header: string | undefined): string {
  if (header === undefined) throw refusal('a signed token in the Authorization header', 'authorization');
  const token = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/.exec(header)?.[1];
  if (token === undefined || token.length > MOST_TOKEN_LENGTH) {
    throw refusal('the Authorization header is "Bearer" and a compact JWS', 'authorization');
  }
  return token;
}

async function verifySignature(
  context: Pick<ServiceContext, 'store' | 'clock'>,
  audiences: readonly string[],
  token: string,
): Promise<{ payload: JWTPayload; principal: PrincipalWithKey }> {
  const found: { principal: PrincipalWithKey | null } = { principal: null };
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        const principal = kid !== undefined && isGuid(kid) ? await findPrincipal(context, kid) : null;
        if (principal === null) throw refusal('the token names a key that is registered here', 'kid');
        found.principal = principal;
        return createPublicKey({ key: Buffer.from(principal.spki), format: 'der', type: 'spki' });
      },
      {
        algorithms: ['ES256'],
        audience: [...audiences],
        currentDate: new Date(context.clock.now()),
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['iat', 'exp', 'htm', 'htu', 'bh'],
      },
    );
    if (found.principal === null) throw refusal('the token names its key', 'kid');
    return { payload, principal: found.principal };
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    const { field, rule } = describe(cause);
    throw refusal(rule, field, cause);
  }
}

/** `exp` was compared with the clock already; a token made for later is none for now. */
function checkLifetime({ iat, exp }: JWTPayload, now: number): void {
  if (iat === undefined || exp === undefined || exp <= iat || exp - iat > MOST_TOKEN_SECONDS) {
    throw refusal(`a token is good for at most ${MOST_TOKEN_SECONDS} seconds`, 'exp');
  }
  if (iat > now / 1000 + CLOCK_TOLERANCE_SECONDS)
    throw refusal('the token is made now, not for later', 'iat');
}

/** jose's errors carry stable codes; its sentences are not repeated to whoever is not authenticated. */
function describe(error: unknown): { field?: string; rule: string } {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const claim =
    error instanceof Error && 'claim' in error && typeof error.claim === 'string' ? error.claim : undefined;
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return { field: 'exp', rule: 'the token has expired' };
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      return { ...(claim === undefined ? {} : { field: claim }), rule: 'the claim is missing or not good' };
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return { field: 'alg', rule: 'the algorithm is ES256' };
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return { rule: 'the signature is of the registered key' };
    default:
      return { rule: 'a well-formed JWT (RFC 7519)' };
  }
}
