import type { Role } from '@sevenfold/api';
import { checkP256Spki, principalIdOf } from '@sevenfold/pki';
import type { Caller } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import {
  digestOfToken,
  FIRST_TOKEN_LIFETIME,
  INVITATION_LIFETIME,
  makeEnrolmentToken,
} from './enrolment-token.ts';
import { parseRole, toCaller } from './principals.ts';
import {
  deleteExpiredTokens,
  deleteUnusedFirstTokens,
  hasServiceAdministrator,
  insertEnrolmentToken,
  insertPrincipal,
  markEnrolmentTokenUsed,
  selectEnrolmentToken,
  selectPrincipal,
} from './queries.ts';

type EnrolContext = Pick<ServiceContext, 'store' | 'clock' | 'entropy'>;

/**
 * The token of the first Administrator, to be shown once: null when somebody has enrolled already. Each call makes the
 * token before it worthless.
 */
export async function ensureFirstAdministratorToken(context: EnrolContext): Promise<string | null> {
  const { token, digest } = makeEnrolmentToken(context.entropy);
  return context.store.write(async (tx) => {
    await deleteUnusedFirstTokens(tx);
    if (await hasServiceAdministrator(tx)) return null;
    const expiresAt = context.clock.now() + FIRST_TOKEN_LIFETIME;
    await insertEnrolmentToken(tx, {
      digest,
      purpose: 'first',
      role: 'Administrator',
      tenantId: null,
      expiresAt,
      usedBy: null,
    });
    return token;
  });
}

/** A one-time token for a new principal; `expiresAt` in ms since 1970. The tenant was checked by the caller. */
export async function invite(
  context: EnrolContext,
  invitation: { readonly role: Role; readonly tenantId: string | null },
): Promise<{ readonly token: string; readonly expiresAt: number }> {
  const { token, digest } = makeEnrolmentToken(context.entropy);
  const expiresAt = context.clock.now() + INVITATION_LIFETIME;
  await context.store.write((tx) =>
    insertEnrolmentToken(tx, { digest, purpose: 'invitation', ...invitation, expiresAt, usedBy: null }),
  );
  return { token, expiresAt };
}

/**
 * Exchanges a one-time token for a principal that owns `spki` (untrusted). The same token with the same key again
 * gives the same answer, for a client that did not hear the first one.
 * Errors: `EnrolmentTokenInvalid` – unknown, used or expired, which is not told apart – `InvalidPublicKey`,
 * `AlreadyExists` for a key that is a principal's already.
 */
export async function enrol(
  context: EnrolContext,
  request: { readonly token: string; readonly name: string; readonly spki: Uint8Array },
): Promise<Caller> {
  const spki = parseKey(request.spki);
  const digest = digestOfToken(request.token);
  const principalId = principalIdOf(spki);
  return context.store.write(async (tx) => {
    const now = context.clock.now();
    const token = await selectEnrolmentToken(tx, digest);
    if (token === undefined || token.expiresAt <= now || (token.usedBy ?? principalId) !== principalId) {
      throw new ServiceError('EnrolmentTokenInvalid', 'The token is not good, or not any more.', {
        field: 'token',
        rule: 'a one-time token, within its time',
      });
    }
    const known = await selectPrincipal(tx, principalId);
    if (known !== undefined) {
      if (token.usedBy === principalId) return toCaller(known);
      throw new ServiceError('AlreadyExists', 'This key belongs to a principal already.', {
        field: 'publicKey',
        rule: 'one key, one principal',
      });
    }
    const row = {
      principalId,
      name: request.name,
      role: token.role,
      tenantId: token.tenantId,
      spki,
      createdAt: now,
    };
    await insertPrincipal(tx, row);
    await markEnrolmentTokenUsed(tx, digest, principalId);
    return { ...toCaller(row), role: parseRole(token.role) };
  });
}

/** Forgets tokens that nobody can use any more. */
export async function sweepEnrolmentTokens(context: EnrolContext): Promise<void> {
  await context.store.write((tx) => deleteExpiredTokens(tx, context.clock.now()));
}

function parseKey(untrustedSpki: Uint8Array): Uint8Array {
  try {
    return checkP256Spki(untrustedSpki, 'publicKey');
  } catch (cause) {
    throw new ServiceError('InvalidPublicKey', 'The public key is not an ECDSA P-256 key in SPKI form.', {
      field: 'publicKey',
      rule: 'DER SubjectPublicKeyInfo of a P-256 key, in base64',
      cause,
    });
  }
}
