import {
  CHIP_SKUS,
  DEVICE_CAPABILITIES,
  IMAGE_TYPES,
  type ChipSkuName,
  type ImageTypeName,
} from '@sevenfold/formats';
import { z } from 'zod';
import { ROLES } from './contract.ts';

/** Canonical GUID, lower case: tenants, products, device groups, principals, components, images. */
export const guid = z
  .string()
  .regex(
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    'a GUID in lower case: 8-4-4-4-12 hex digits',
  );

/** What a single device may be unlocked for. */
export const deviceCapability = z.enum(DEVICE_CAPABILITIES);

/** The public identity of a chip: SHA-256 of its attestation key's SPKI, in hex. */
export const deviceId = z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits in lower case');

/** SHA-256 as hex. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits in lower case');

/** A moment, RFC 3339 in UTC. */
export const time = z.iso.datetime();

/** A name for people: unique within its parent, without regard to case (azure-sphere.md §6.6). */
export const displayName = z
  .string()
  .regex(
    /^[\p{L}\p{N}]([\p{L}\p{N} ._-]{0,48}[\p{L}\p{N}])?$/u,
    '1 to 50 letters, digits, spaces, dots, dashes',
  );

/** Free text for people, one paragraph. */
export const description = z.string().max(500);

/** A public key: DER SubjectPublicKeyInfo in base64. */
export const spkiBase64 = z.base64().min(4).max(1024);

export const role = z.enum(ROLES);
export const osFeed = z.enum(['Retail', 'RetailEval']);
export type OsFeed = z.infer<typeof osFeed>;
export const updatePolicy = z.enum(['UpdateAll', 'No3rdPartyAppUpdates']);
export type UpdatePolicy = z.infer<typeof updatePolicy>;

// `Object.keys` of a constant object: the names are exactly its keys.
const IMAGE_TYPE_NAMES = Object.keys(IMAGE_TYPES) as [ImageTypeName, ...ImageTypeName[]];
export const imageType = z.enum(IMAGE_TYPE_NAMES);

/** Chip SKUs are small numbers; 0 is a real one. */
export const chipSku = z.int().min(0).max(0xffff_ffff);

// As above. Every SKU of ours is of virtual silicon.
const VIRTUAL_SKU_NAMES = Object.keys(CHIP_SKUS) as [ChipSkuName, ...ChipSkuName[]];
/** Name of a virtual chip SKU. */
export const virtualSku = z.enum(VIRTUAL_SKU_NAMES);

/** Name of an OS release, such as `26.11.0`. */
export const releaseName = z
  .string()
  .regex(/^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$/, '1 to 32 letters, digits, dots, dashes');

/** How a long list is read: `limit` items after the item `after`, which is the `next` of the page before. */
export const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).optional(),
  after: z.string().min(1).max(256).optional(),
});
export type Page = z.infer<typeof page>;

/** A page of a list; `next` is null on the last one. */
export function listOf<Item>(item: z.ZodType<Item>): z.ZodType<{ items: Item[]; next: string | null }> {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

/** The answer to every refused request: RFC 9457, with `code`, `field` and `rule` as extensions. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  field: z.string().optional(),
  rule: z.string().optional(),
  requestId: z.string().optional(),
});
export type ApiProblem = z.infer<typeof problem>;
