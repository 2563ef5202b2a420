import { z } from 'zod';
import { defineRoute, json } from '../contract.ts';
import { guid, time } from '../primitives.ts';

const serial = z.string().regex(/^[0-9a-f]{2,40}$/, 'hex digits in lower case');
const tenantParams = z.strictObject({ tenantId: guid });
const certificateParams = z.strictObject({ tenantId: guid, serial });

/** A certificate authority. */
const authority = z.object({
  serial: z.string(),
  subject: z.string(),
  notBefore: time,
  notAfter: time,
  /** SHA-1 of the certificate, hex. */
  thumbprint: z.string(),
  status: z.enum(['Inactive', 'Active', 'Retired', 'Revoked']),
  activeFrom: time,
  revokedAt: time.nullable(),
});
export type TenantCertificate = z.infer<typeof authority>;

/** A file in base64. */
const file = z.base64();

/** Certificate authorities of tenants, and of the service. */
export const CERTIFICATE_ROUTES = {
  certificates: defineRoute({
    name: 'listCertificates',
    summary: 'The certificate authorities of a tenant, the newest first',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/certificates',
    permission: 'Reader',
    scope: 'tenant',
    params: tenantParams,
    reply: z.object({ items: z.array(authority) }),
  }),
  certificate: defineRoute({
    name: 'getCertificate',
    summary: "A tenant's certificate authority with its certificate (.cer: DER)",
    method: 'GET',
    path: '/v1/tenants/{tenantId}/certificates/{serial}',
    permission: 'Reader',
    scope: 'tenant',
    params: certificateParams,
    reply: authority.extend({ cer: file }),
  }),
  certificateChain: defineRoute({
    name: 'getCertificateChain',
    summary: "A tenant's certificate authority and those above it: PEM, leaf first, and PKCS#7 (.p7b: DER)",
    method: 'GET',
    path: '/v1/tenants/{tenantId}/certificates/{serial}/chain',
    permission: 'Reader',
    scope: 'tenant',
    params: certificateParams,
    reply: z.object({ chainPem: z.string(), p7b: file }),
  }),
  proveCertificate: defineRoute({
    name: 'proveCertificate',
    summary: 'A certificate over a nonce of a relying party, which proves possession of the CA for an hour',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/certificates/{serial}/proof',
    permission: 'Contributor',
    scope: 'tenant',
    params: certificateParams,
    body: json(
      z.strictObject({
        nonce: z.string().regex(/^[\x21-\x7e]{1,64}$/, '1 to 64 printable characters without spaces'),
      }),
    ),
    reply: z.object({ cer: file, notAfter: time }),
  }),
  revokeCertificate: defineRoute({
    name: 'revokeCertificate',
    summary: 'Take a certificate authority of a tenant back; answers the one that issues from now on',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/certificates/revoke',
    permission: 'Administrator',
    scope: 'tenant',
    params: tenantParams,
    body: json(z.strictObject({ serial })),
    reply: authority,
  }),
  intermediates: defineRoute({
    name: 'listIntermediates',
    summary: 'The intermediate of the service that issues',
    method: 'GET',
    path: '/v1/intermediates',
    permission: 'Reader',
    scope: 'service',
    reply: z.object({ items: z.array(authority) }),
  }),
  replaceIntermediate: defineRoute({
    name: 'replaceIntermediate',
    summary: 'Put a new intermediate in place of the one that issues; take that back if it was compromised',
    method: 'POST',
    path: '/v1/intermediates/replace',
    permission: 'Administrator',
    scope: 'service',
    body: json(z.strictObject({ serial, compromised: z.boolean() })),
    reply: authority,
  }),
} as const;
