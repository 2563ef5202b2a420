import { z } from 'zod';
import { defineRoute, json } from '../contract.ts';
import { displayName, guid, listOf, page, role, spkiBase64, time } from '../primitives.ts';

/** A person or machine that may call; `tenantId` null means the whole service. */
const principal = z.object({
  principalId: guid,
  name: z.string(),
  role,
  tenantId: guid.nullable(),
  createdAt: time,
});
export type Principal = z.infer<typeof principal>;

/** One line of the audit trail: who asked for which change, and what came of it. */
const auditEntry = z.object({
  entryId: z.string(),
  time,
  principalId: guid.nullable(),
  tenantId: guid.nullable(),
  operation: z.string(),
  target: z.string(),
  /** `started`, `done`, or the code of the refusal. */
  outcome: z.string(),
  requestId: z.string(),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/** Sign-in without passwords: a one-time token is exchanged for the public key of a key pair of one's own. */
export const ACCESS_ROUTES = {
  enrol: defineRoute({
    name: 'enrol',
    summary: 'Exchange a one-time token for a principal with a key of its own',
    method: 'POST',
    path: '/v1/access/enrol',
    permission: 'public',
    scope: 'any',
    body: json(
      z.strictObject({
        token: z.string().regex(/^[A-Za-z0-9_-]{43}$/, '43 characters of base64url'),
        name: displayName,
        publicKey: spkiBase64,
      }),
    ),
    reply: z.object({ principalId: guid, role, tenantId: guid.nullable() }),
    status: 201,
  }),
  me: defineRoute({
    name: 'getMe',
    summary: 'The principal that asks',
    method: 'GET',
    path: '/v1/access/me',
    permission: 'Reader',
    scope: 'any',
    reply: principal,
  }),
  invite: defineRoute({
    name: 'createInvitation',
    summary: 'Make a one-time token for a new principal; it is shown once',
    method: 'POST',
    path: '/v1/access/invitations',
    permission: 'Administrator',
    scope: 'any',
    body: json(z.strictObject({ role, tenantId: guid.nullable() })),
    reply: z.object({ token: z.string(), expiresAt: time }),
    status: 201,
  }),
  principals: defineRoute({
    name: 'listPrincipals',
    summary: 'Who may call',
    method: 'GET',
    path: '/v1/access/principals',
    permission: 'Administrator',
    scope: 'any',
    query: page,
    reply: listOf(principal),
  }),
  audit: defineRoute({
    name: 'listAudit',
    summary: 'Changes that were asked for, newest first',
    method: 'GET',
    path: '/v1/audit',
    permission: 'Administrator',
    scope: 'any',
    query: page,
    reply: listOf(auditEntry),
  }),
} as const;
