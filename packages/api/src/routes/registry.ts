import { z } from 'zod';
import { defineRoute, json } from '../contract.ts';
import {
  chipSku,
  description,
  deviceCapability,
  deviceId,
  displayName,
  guid,
  imageType,
  listOf,
  osFeed,
  page,
  sha256Hex,
  time,
  updatePolicy,
  virtualSku,
} from '../primitives.ts';

const tenantParams = z.strictObject({ tenantId: guid });
const groupParams = z.strictObject({ tenantId: guid, deviceGroupId: guid });
const deviceParams = z.strictObject({ tenantId: guid, deviceId });

const tenant = z.object({
  tenantId: guid,
  name: z.string(),
  /** Virtual chip SKUs whose devices the tenant may have; empty unless its Administrator says otherwise. */
  allowedVirtualSkus: z.array(virtualSku),
  createdAt: time,
});
export type Tenant = z.infer<typeof tenant>;

const product = z.object({
  productId: guid,
  tenantId: guid,
  name: z.string(),
  description: z.string(),
  createdAt: time,
});
export type Product = z.infer<typeof product>;

const deviceGroup = z.object({
  deviceGroupId: guid,
  tenantId: guid,
  productId: guid,
  name: z.string(),
  description: z.string(),
  osFeed,
  updatePolicy,
  createdAt: time,
});
export type DeviceGroup = z.infer<typeof deviceGroup>;

/** An image as a device reports it. */
const installedImage = z.object({ imageType, componentId: guid, imageId: guid, digest: sha256Hex });

const verdict = z.enum(['trusted', 'outdated', 'revoked', 'unknown']);
const tier = z.enum(['affirming', 'warning', 'contraindicated']);
const trust = z.union([z.literal(2), z.literal(32), z.literal(96)]);

/** One claim about a device, how far it is to be trusted, and why. */
const judgedClaim = z.object({ claim: z.string(), status: tier, reasons: z.array(z.string()) });

/** A refusal of a device that had proved who it is. */
const refusal = z.object({ time, code: z.string(), message: z.string() });

/** A verdict in the shape of EAR (draft-ietf-rats-ear), with what people want to know beside it. */
const attestationResult = z.object({
  eat_profile: z.string(),
  /** Seconds since 1970. */
  iat: z.int(),
  'ear.verifier-id': z.object({ developer: z.string(), build: z.string() }),
  submods: z.object({
    device: z.object({
      'ear.status': tier,
      'ear.trustworthiness-vector': z.object({
        'instance-identity': trust,
        configuration: trust,
        executables: trust,
      }),
      'ear.appraisal-policy-id': z.string(),
    }),
  }),
  deviceId,
  tenantId: guid.nullable(),
  verdict,
  reasons: z.array(z.string()),
  claims: z.array(judgedClaim),
  evidence: z.object({ format: z.string(), digest: sha256Hex, lifecycle: z.string() }),
  measurements: z.array(
    z.object({
      imageType: z.string(),
      name: z.string(),
      digest: z.string(),
      securityVersion: z.int().nullable(),
      status: z.enum(['current', 'accepted', 'outdated', 'revoked', 'unknown']),
      acceptedUntil: time.nullable(),
      releases: z.array(z.string()),
    }),
  ),
  /** What the measurements were compared with. */
  reference: z.object({ feed: z.string(), release: z.string().nullable(), policyVersion: z.int() }),
  release: z.string().nullable(),
  requiredRelease: z.string().nullable(),
  /** Serials of what was issued; null: it got no client certificate. */
  certificates: z.object({ client: z.string().nullable(), update: z.string() }),
  nextCheck: time,
});
export type AttestationResultDocument = z.infer<typeof attestationResult>;

const device = z.object({
  deviceId,
  tenantId: guid,
  deviceGroupId: guid.nullable(),
  chipSku,
  blocked: z.boolean(),
  claimedAt: time,
  /** When it last spoke to the service, null before the first time. */
  lastSeen: time.nullable(),
  /** The last verdict over its software. */
  attestation: z
    .object({
      verdict,
      reasons: z.array(z.string()),
      claims: z.array(judgedClaim),
      time,
      /** The release that it must reach to get a client certificate. */
      requiredRelease: z.string().nullable(),
      /** When it was told to come back. */
      nextCheck: time,
    })
    .nullable(),
  /** Why it was refused, if that came after the last verdict. */
  refusal: refusal.nullable(),
  osVersion: z.string().nullable(),
  installedImages: z.array(installedImage),
});
export type Device = z.infer<typeof device>;

/** Tenants, products, device groups and devices. */
export const REGISTRY_ROUTES = {
  tenants: defineRoute({
    name: 'listTenants',
    summary: 'Tenants that the caller may see',
    method: 'GET',
    path: '/v1/tenants',
    permission: 'Reader',
    scope: 'any',
    query: page,
    reply: listOf(tenant),
  }),
  createTenant: defineRoute({
    name: 'createTenant',
    summary: 'Make a tenant and its certificate authority',
    method: 'POST',
    path: '/v1/tenants',
    permission: 'Administrator',
    scope: 'service',
    body: json(
      z.strictObject({ name: displayName, allowedVirtualSkus: z.array(virtualSku).max(16).optional() }),
    ),
    reply: tenant,
    status: 201,
  }),
  updateTenant: defineRoute({
    name: 'updateTenant',
    summary: 'Decide whether a tenant may have devices with virtual chips',
    method: 'PATCH',
    path: '/v1/tenants/{tenantId}',
    permission: 'Administrator',
    scope: 'tenant',
    params: tenantParams,
    body: json(z.strictObject({ allowedVirtualSkus: z.array(virtualSku).max(16) })),
    reply: tenant,
  }),
  tenant: defineRoute({
    name: 'getTenant',
    summary: 'One tenant',
    method: 'GET',
    path: '/v1/tenants/{tenantId}',
    permission: 'Reader',
    scope: 'tenant',
    params: tenantParams,
    reply: tenant,
  }),
  products: defineRoute({
    name: 'listProducts',
    summary: 'Products of a tenant',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/products',
    permission: 'Reader',
    scope: 'tenant',
    params: tenantParams,
    query: page,
    reply: listOf(product),
  }),
  createProduct: defineRoute({
    name: 'createProduct',
    summary: 'Make a product',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/products',
    permission: 'Contributor',
    scope: 'tenant',
    params: tenantParams,
    body: json(z.strictObject({ name: displayName, description: description.optional() })),
    reply: product,
    status: 201,
  }),
  deviceGroups: defineRoute({
    name: 'listDeviceGroups',
    summary: 'Device groups of a tenant',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/device-groups',
    permission: 'Reader',
    scope: 'tenant',
    params: tenantParams,
    query: page,
    reply: listOf(deviceGroup),
  }),
  createDeviceGroup: defineRoute({
    name: 'createDeviceGroup',
    summary: 'Make a device group in a product',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/device-groups',
    permission: 'Contributor',
    scope: 'tenant',
    params: tenantParams,
    body: json(
      z.strictObject({
        productId: guid,
        name: displayName,
        description: description.optional(),
        osFeed: osFeed.optional(),
        updatePolicy: updatePolicy.optional(),
      }),
    ),
    reply: deviceGroup,
    status: 201,
  }),
  deviceGroup: defineRoute({
    name: 'getDeviceGroup',
    summary: 'One device group',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/device-groups/{deviceGroupId}',
    permission: 'Reader',
    scope: 'tenant',
    params: groupParams,
    reply: deviceGroup,
  }),
  updateDeviceGroup: defineRoute({
    name: 'updateDeviceGroup',
    summary: 'Change what a device group says about its devices',
    method: 'PATCH',
    path: '/v1/tenants/{tenantId}/device-groups/{deviceGroupId}',
    permission: 'Contributor',
    scope: 'tenant',
    params: groupParams,
    body: json(
      z.strictObject({
        name: displayName.optional(),
        description: description.optional(),
        osFeed: osFeed.optional(),
        updatePolicy: updatePolicy.optional(),
      }),
    ),
    reply: deviceGroup,
  }),
  devices: defineRoute({
    name: 'listDevices',
    summary: 'Devices of a tenant',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/devices',
    permission: 'Reader',
    scope: 'tenant',
    params: tenantParams,
    query: page.extend({ deviceGroupId: guid.optional() }),
    reply: listOf(device),
  }),
  claimDevice: defineRoute({
    name: 'claimDevice',
    summary: 'Claim a genuine device for a tenant; again for the same tenant is no error',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/devices',
    permission: 'Contributor',
    scope: 'tenant',
    params: tenantParams,
    body: json(z.strictObject({ deviceId, deviceGroupId: guid.optional() })),
    reply: device,
  }),
  device: defineRoute({
    name: 'getDevice',
    summary: 'One device, with its last verdict and what it runs',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/devices/{deviceId}',
    permission: 'Reader',
    scope: 'tenant',
    params: deviceParams,
    reply: device,
  }),
  deviceAttestation: defineRoute({
    name: 'getDeviceAttestation',
    summary:
      'The last verdict over a device, claim by claim, with the evidence, policy and references behind it',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/devices/{deviceId}/attestation',
    permission: 'Reader',
    scope: 'tenant',
    params: deviceParams,
    reply: z.object({ result: attestationResult.nullable(), refusal: refusal.nullable() }),
  }),
  createDeviceCapability: defineRoute({
    name: 'createDeviceCapability',
    summary:
      'Make a capability file: unlocks this one device for what it names; an empty list locks it again',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/devices/{deviceId}/capabilities',
    permission: 'Administrator',
    scope: 'tenant',
    params: deviceParams,
    body: json(z.strictObject({ capabilities: z.array(deviceCapability).max(2) })),
    reply: z.object({ deviceId, capabilities: z.array(deviceCapability), file: z.base64() }),
    status: 201,
  }),
  releaseDevice: defineRoute({
    name: 'releaseDevice',
    summary: 'Give a device up: it is refused from its next request on, until a tenant claims it again',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/devices/{deviceId}/release',
    permission: 'Contributor',
    scope: 'tenant',
    params: deviceParams,
    reply: z.object({ deviceId, releasedAt: time }),
  }),
  updateDevice: defineRoute({
    name: 'updateDevice',
    summary: 'Move a device to another device group, or block it',
    method: 'PATCH',
    path: '/v1/tenants/{tenantId}/devices/{deviceId}',
    permission: 'Contributor',
    scope: 'tenant',
    params: deviceParams,
    body: json(
      z
        .strictObject({ deviceGroupId: guid.nullable().optional(), blocked: z.boolean().optional() })
        .refine((change) => Object.keys(change).length > 0, 'deviceGroupId or blocked'),
    ),
    reply: device,
  }),
} as const;
