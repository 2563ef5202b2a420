import { z } from 'zod';
import { defineRoute, json, octets } from '../contract.ts';
import {
  chipSku,
  displayName,
  guid,
  imageType,
  listOf,
  osFeed,
  page,
  releaseName,
  sha256Hex,
  spkiBase64,
  time,
} from '../primitives.ts';

/** An OS image package at most: the largest slot of a device's flash. */
export const MOST_OS_IMAGE_BYTES = 2 * 1024 * 1024;
/** A batch of endorsements at most. */
export const MOST_ENDORSEMENT_BYTES = 4 * 1024 * 1024;

const siliconMaker = z.object({ makerId: guid, name: z.string(), spki: spkiBase64, createdAt: time });
export type SiliconMaker = z.infer<typeof siliconMaker>;

/** Where the certificate chains of a maker's chips may end; the thumbprint is the SHA-1 of its SPKI in hex. */
const siliconRoot = z.object({ makerId: guid, thumbprint: z.string(), chipSku, createdAt: time });

/** A key whose signature makes a system image; the thumbprint is its SHA-1 in hex, as image packages name it. */
const platformKey = z.object({ thumbprint: z.string(), spki: spkiBase64, createdAt: time });
export type PlatformKey = z.infer<typeof platformKey>;

const osImage = z.object({
  imageId: guid,
  componentId: guid,
  imageType,
  name: z.string(),
  size: z.int(),
  digest: sha256Hex,
  chipSku,
  securityVersion: z.int(),
});
export type OsImage = z.infer<typeof osImage>;

/** The images of an operating system that belong together; the newest of a feed that is not revoked is in force. */
const osRelease = z.object({
  name: releaseName,
  feed: osFeed,
  chipSku,
  images: z.array(osImage),
  createdAt: time,
  revoked: z.object({ reason: z.string(), time }).nullable(),
});
export type OsRelease = z.infer<typeof osRelease>;

/** What belongs to the whole service: silicon makers, endorsements, platform keys, OS images and releases. */
export const PLATFORM_ROUTES = {
  siliconMakers: defineRoute({
    name: 'listSiliconMakers',
    summary: 'Whose endorsements are believed',
    method: 'GET',
    path: '/v1/silicon-makers',
    permission: 'Reader',
    scope: 'service',
    reply: z.object({ items: z.array(siliconMaker) }),
  }),
  createSiliconMaker: defineRoute({
    name: 'createSiliconMaker',
    summary: 'Believe the endorsements of a silicon maker; again with the same key is no error',
    method: 'POST',
    path: '/v1/silicon-makers',
    permission: 'Administrator',
    scope: 'service',
    body: json(z.strictObject({ name: displayName, spki: spkiBase64 })),
    reply: siliconMaker,
    status: 201,
  }),
  siliconRoots: defineRoute({
    name: 'listSiliconRoots',
    summary: 'Where the IDevID and EK chains of a silicon maker may end',
    method: 'GET',
    path: '/v1/silicon-makers/{makerId}/roots',
    permission: 'Reader',
    scope: 'service',
    params: z.strictObject({ makerId: guid }),
    reply: z.object({ items: z.array(siliconRoot) }),
  }),
  createSiliconRoot: defineRoute({
    name: 'createSiliconRoot',
    summary: 'Believe chains that end at this root; again for the same maker and chip SKU is no error',
    method: 'POST',
    path: '/v1/silicon-makers/{makerId}/roots',
    permission: 'Administrator',
    scope: 'service',
    params: z.strictObject({ makerId: guid }),
    body: json(z.strictObject({ certificate: z.base64().min(4).max(22_000), chipSku })),
    reply: siliconRoot,
    status: 201,
  }),
  importEndorsementChains: defineRoute({
    name: 'importEndorsementChains',
    summary: 'Import chips by their IDevID or EK chains (DER, leaf first): all of them or none',
    method: 'POST',
    path: '/v1/endorsement-chains',
    permission: 'Administrator',
    scope: 'service',
    body: json(
      z.strictObject({
        makerId: guid,
        chains: z
          .array(z.array(z.base64().min(4).max(22_000)).min(1).max(6))
          .min(1)
          .max(1000),
      }),
      2 * MOST_ENDORSEMENT_BYTES,
    ),
    reply: z.object({ imported: z.int(), known: z.int() }),
  }),
  importEndorsements: defineRoute({
    name: 'importEndorsements',
    summary: 'Import a signed batch of endorsements (JSON Lines or CBOR): all of it or nothing',
    method: 'POST',
    path: '/v1/endorsements',
    permission: 'Administrator',
    scope: 'service',
    body: json(
      z.strictObject({
        makerId: guid,
        /** JSON Lines unless told. */
        format: z.enum(['json-lines', 'cbor']).optional(),
        /** The lines as they are; CBOR in base64. */
        batch: z.string().min(1).max(MOST_ENDORSEMENT_BYTES),
        signature: z.base64().max(128),
      }),
      // JSON escapes every quote of the batch.
      2 * MOST_ENDORSEMENT_BYTES,
    ),
    reply: z.object({ imported: z.int(), known: z.int() }),
  }),
  platformKeys: defineRoute({
    name: 'listPlatformKeys',
    summary: 'Whose signature makes a system image',
    method: 'GET',
    path: '/v1/platform-keys',
    permission: 'Reader',
    scope: 'service',
    reply: z.object({ items: z.array(platformKey) }),
  }),
  createPlatformKey: defineRoute({
    name: 'createPlatformKey',
    summary: 'Accept system images that this key has signed; again with the same key is no error',
    method: 'POST',
    path: '/v1/platform-keys',
    permission: 'Administrator',
    scope: 'service',
    body: json(z.strictObject({ spki: spkiBase64 })),
    reply: platformKey,
    status: 201,
  }),
  uploadOsImage: defineRoute({
    name: 'uploadOsImage',
    summary: 'Upload a system image signed by a platform key; again with the same bytes is no error',
    method: 'POST',
    path: '/v1/os-images',
    permission: 'Administrator',
    scope: 'service',
    body: octets(MOST_OS_IMAGE_BYTES),
    reply: osImage,
    status: 201,
  }),
  osImage: defineRoute({
    name: 'getOsImage',
    summary: 'A system image with its package, as a recovery set needs it',
    method: 'GET',
    path: '/v1/os-images/{imageId}',
    permission: 'Reader',
    scope: 'any',
    params: z.strictObject({ imageId: guid }),
    reply: osImage.extend({ package: z.base64() }),
  }),
  osReleases: defineRoute({
    name: 'listOsReleases',
    summary: 'OS releases, newest first',
    method: 'GET',
    path: '/v1/os-releases',
    permission: 'Reader',
    scope: 'any',
    query: page,
    reply: listOf(osRelease),
  }),
  createOsRelease: defineRoute({
    name: 'createOsRelease',
    summary: 'Publish a release to a feed: its images become the reference of attestation',
    method: 'POST',
    path: '/v1/os-releases',
    permission: 'Administrator',
    scope: 'service',
    body: json(
      z.strictObject({ name: releaseName, feed: osFeed, chipSku, imageIds: z.array(guid).min(1).max(16) }),
    ),
    reply: osRelease,
    status: 201,
  }),
  revokeOsRelease: defineRoute({
    name: 'revokeOsRelease',
    summary: 'Stop trusting a release: devices that run it get no client certificate until they have updated',
    method: 'POST',
    path: '/v1/os-releases/{name}/revoke',
    permission: 'Administrator',
    scope: 'service',
    params: z.strictObject({ name: releaseName }),
    body: json(z.strictObject({ reason: z.string().min(1).max(500) })),
    reply: osRelease,
  }),
} as const;
