import { createHash } from 'node:crypto';
import { fromBase64Url, toBase64Url, type Entropy } from '@sevenfold/formats';

/** The first Administrator's token is printed on a screen: minutes. Ms. */
export const FIRST_TOKEN_LIFETIME = 10 * 60_000;
/** An invitation is sent to somebody: a day. Ms. */
export const INVITATION_LIFETIME = 24 * 3_600_000;

/** A fresh one-time token (32 random bytes, base64url) and the digest under which it is kept. */
export function makeEnrolmentToken(entropy: Entropy): { readonly token: string; readonly digest: string } {
  const token = toBase64Url(entropy.random(32));
  return { token, digest: digestOfToken(token) };
}

/** SHA-256 of the token's bytes, hex. The token has 256 bits of entropy: no slow hash is needed. */
export function digestOfToken(untrustedToken: string): string {
  return createHash('sha256').update(fromBase64Url(untrustedToken)).digest('hex');
}
