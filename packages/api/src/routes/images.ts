import { FLASH_MAP, MOST_BILL_BYTES } from '@sevenfold/formats';
import { z } from 'zod';
import { defineRoute, json, octets } from '../contract.ts';
import { guid, imageType, listOf, page, sha256Hex, time } from '../primitives.ts';

const tenantParams = z.strictObject({ tenantId: guid });
const imageParams = z.strictObject({ tenantId: guid, imageId: guid });
const groupParams = z.strictObject({ tenantId: guid, deviceGroupId: guid });

/** An image package at most: all the room that a device has for applications. */
export const MOST_IMAGE_BYTES = FLASH_MAP.applications.bytes;
/** A symbol map at most. */
export const MOST_SYMBOL_BYTES = 8 * 1024 * 1024;

/** An image as the service keeps it: `digest` is the SHA-256 of the package with the service's signature. */
const image = z.object({
  imageId: guid,
  componentId: guid,
  imageType,
  name: z.string(),
  size: z.int(),
  digest: sha256Hex,
  buildTime: time,
  uploadedAt: time,
  hasSymbols: z.boolean(),
  hasMaterials: z.boolean(),
});
export type Image = z.infer<typeof image>;

/** What an image was linked from: the CycloneDX document as it was uploaded, and what was read in it. */
const materials = z.object({
  digest: sha256Hex,
  document: z.base64(),
  specVersion: z.string(),
  components: z.array(
    z.object({
      type: z.string(),
      name: z.string(),
      version: z.string().nullable(),
      purl: z.string().nullable(),
    }),
  ),
});
export type ImageMaterials = z.infer<typeof materials>;

/** The images that a device group's devices shall run: all of them, and no other application. */
const deployment = z.object({
  deploymentId: guid,
  deviceGroupId: guid,
  images: z.array(image),
  createdAt: time,
});
export type Deployment = z.infer<typeof deployment>;

/** Images and deployments of a tenant. */
export const IMAGE_ROUTES = {
  images: defineRoute({
    name: 'listImages',
    summary: 'Images of a tenant',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/images',
    permission: 'Reader',
    scope: 'tenant',
    params: tenantParams,
    query: page,
    reply: listOf(image),
  }),
  uploadImage: defineRoute({
    name: 'uploadImage',
    summary: 'Upload an image package; the service signs it. Again with the same bytes is no error',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/images',
    permission: 'Contributor',
    scope: 'tenant',
    params: tenantParams,
    body: octets(MOST_IMAGE_BYTES),
    reply: image,
    status: 201,
  }),
  image: defineRoute({
    name: 'getImage',
    summary: 'One image',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/images/{imageId}',
    permission: 'Reader',
    scope: 'tenant',
    params: imageParams,
    reply: image,
  }),
  uploadSymbols: defineRoute({
    name: 'uploadSymbols',
    summary: 'Upload the symbol map (CBOR) of an image, so that its failures name file and line',
    method: 'PUT',
    path: '/v1/tenants/{tenantId}/images/{imageId}/symbols',
    permission: 'Contributor',
    scope: 'tenant',
    params: imageParams,
    body: octets(MOST_SYMBOL_BYTES),
    reply: image,
  }),
  uploadMaterials: defineRoute({
    name: 'uploadMaterials',
    summary: 'Upload the bill of materials of an image: CycloneDX JSON 1.4 to 1.6, of this very image id',
    method: 'PUT',
    path: '/v1/tenants/{tenantId}/images/{imageId}/sbom',
    permission: 'Contributor',
    scope: 'tenant',
    params: imageParams,
    body: octets(MOST_BILL_BYTES),
    reply: image,
  }),
  materials: defineRoute({
    name: 'getMaterials',
    summary: 'The bill of materials of an image',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/images/{imageId}/sbom',
    permission: 'Reader',
    scope: 'tenant',
    params: imageParams,
    reply: materials,
  }),
  deployments: defineRoute({
    name: 'listDeployments',
    summary: 'Deployments of a device group, newest first: the first one is in force',
    method: 'GET',
    path: '/v1/tenants/{tenantId}/device-groups/{deviceGroupId}/deployments',
    permission: 'Reader',
    scope: 'tenant',
    params: groupParams,
    query: page,
    reply: listOf(deployment),
  }),
  createDeployment: defineRoute({
    name: 'createDeployment',
    summary: 'Say what the devices of a group shall run; an empty list removes all applications',
    method: 'POST',
    path: '/v1/tenants/{tenantId}/device-groups/{deviceGroupId}/deployments',
    permission: 'Contributor',
    scope: 'tenant',
    params: groupParams,
    body: json(z.strictObject({ imageIds: z.array(guid).max(FLASH_MAP.applications.most) })),
    reply: deployment,
    status: 201,
  }),
} as const;
