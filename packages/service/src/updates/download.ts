import { z } from 'zod';

import { openImage } from '../deployments/open-image.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { selectDevicePlan } from './queries.ts';

/** A part of an image package, or the whole: bytes `start` to `end` (exclusive) of `size`. */
export interface ImagePart {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly size: number;
  /** SHA-256 of the whole, hex. */
  readonly digest: string;
}

const PLANNED = z.array(z.string());

/**
 * A part of an image, for a device whose last plan names it; refuses others with `ImageNotInPlan`. So is an app of a
 * tenant that the device belonged to when it got that plan.
 */
export async function downloadImage(
  context: Pick<ServiceContext, 'store' | 'blobs'>,
  { deviceId, tenantId }: { readonly deviceId: string; readonly tenantId: string | null },
  imageId: string,
  range: string | undefined,
): Promise<ImagePart> {
  const plan = await selectDevicePlan(context.store.read, deviceId);
  const isPlanned = plan !== undefined && PLANNED.parse(JSON.parse(plan.planned)).includes(imageId);
  const image = isPlanned ? await openImage(context, imageId) : null;
  if (image === null || (image.tenantId !== null && image.tenantId !== tenantId)) {
    throw new ServiceError('ImageNotInPlan', 'The device’s last plan does not name this image.', {
      field: 'imageId',
      rule: 'ask for a plan first',
    });
  }
  const { size, digest } = image;
  const { start, end } = parseRange(range, size);
  return { bytes: (await image.read()).subarray(start, end), start, end, size, digest };
}

/**
 * One range of bytes (RFC 9110 §14.1.2): `bytes=from-`, `bytes=from-to`. Refuses everything else, and what lies behind
 * the end, with `RangeNotSatisfiable`: a device that asks so has a mistaken idea of the image.
 */
function parseRange(
  untrusted: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } {
  if (untrusted === undefined) return { start: 0, end: size };
  const parts = /^bytes=([0-9]{1,10})-([0-9]{1,10})?$/u.exec(untrusted);
  const start = Number(parts?.[1] ?? -1);
  const last = parts?.[2] === undefined ? size - 1 : Math.min(Number(parts[2]), size - 1);
  if (start < 0 || start >= size || last < start) {
    throw new ServiceError('RangeNotSatisfiable', 'These are no bytes of the image.', {
      field: 'Range',
      rule: `bytes=from-to, one range within ${size} bytes`,
    });
  }
  return { start, end: last + 1 };
}
