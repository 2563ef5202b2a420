import { z } from 'zod';
import { defineRoute } from '../contract.ts';
import { spkiBase64, time } from '../primitives.ts';

/** The service itself. */
export const SERVICE_ROUTES = {
  status: defineRoute({
    name: 'getStatus',
    summary: 'Whether the service is up',
    method: 'GET',
    path: '/v1/status',
    permission: 'public',
    scope: 'any',
    reply: z.object({
      service: z.literal('sevenfold'),
      status: z.literal('ready'),
      apiVersion: z.literal('v1'),
      time,
    }),
  }),
  openApi: defineRoute({
    name: 'getOpenApi',
    summary: 'This contract as an OpenAPI 3.1 document',
    method: 'GET',
    path: '/openapi.json',
    permission: 'public',
    scope: 'any',
    reply: z.record(z.string(), z.unknown()),
  }),
  trust: defineRoute({
    name: 'getTrust',
    summary:
      'What a device has to know to trust this service: goes into its TrustedKeystore and UpdateCertStore',
    method: 'GET',
    path: '/v1/trust',
    permission: 'Reader',
    scope: 'any',
    reply: z.object({
      deviceHost: z.string(),
      devicePort: z.int(),
      deviceServerName: z.string(),
      tlsRoots: z.array(z.base64()),
      planSigningKey: spkiBase64,
      imageSigningKey: spkiBase64,
      capabilitySigningKey: spkiBase64,
      brokerHost: z.string(),
      brokerPort: z.int().nullable(),
    }),
  }),
} as const;
