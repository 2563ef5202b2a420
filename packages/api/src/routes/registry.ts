import { z } from 'zod';
import { defineRoute, json } from '../contract.ts';
import {
  chipSku,
  description,
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

/** A certificate authority of a tenant. */
const tenantCertificate = z.object({
  serial: z.string(),
  subject: z.string(),
  notBefore: time,
  notAfter: time,
  thumbprint: z.string(),
  status: z.enum(['Active', 'Inactive', 'Revoked']),
});
export type TenantCertificate = z.infer<typeof tenantCertificate>;

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
      verdict: z.enum(['trusted', 'outdated', 'revoked', 'unknown']),
      reasons: z.array(z.string()),
      time,
    })
    .nullable(),
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
  certificates: defineRoute({
    name: 'listCertificates',
    summary: 'The certificate authorities of a tenant',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/certificates',
    permission: 'Reader',
    scope: 'tenant',
    params: tenantParams,
    reply: z.object({ items: z.array(tenantCertificate) }),
  }),
  certificateChain: defineRoute({
    name: 'getCertificateChain',
    summary: "A tenant's certificate authority and those above it, leaf first",
    method: 'GET',
    path: '/v1/tenants/{tenantId}/certificates/{serial}/chain',
    permission: 'Reader',
    scope: 'tenant',
    params: z.strictObject({
      tenantId: guid,
      serial: z.string().regex(/^[0-9a-f]{2,40}$/, 'hex digits in lower case'),
    }),
    reply: z.object({ chainPem: z.string() }),
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
