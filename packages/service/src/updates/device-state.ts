import type { Device } from '@sevenfold/api';
import { imageTypeName, toHex, type PresentImage } from '@sevenfold/formats';
import { z } from 'zod';

import { attestationFor, lastRefusal } from '../attestation/attestation-record.ts';
import { toTime } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { selectDevicePlan } from './queries.ts';

const INSTALLED = z.array(
  z.strictObject({ imageType: z.int(), componentId: z.string(), imageId: z.string(), digest: z.string() }),
);

/** What a device last said about itself, and what was made of it: the part of a device that the registry does not keep. */
export type DeviceState = Pick<
  Device,
  'lastSeen' | 'attestation' | 'refusal' | 'osVersion' | 'installedImages'
>;

/** The state of a device by its last attestation and its last request for a plan. A few look-ups by key. */
export async function deviceState(
  context: Pick<ServiceContext, 'store'>,
  { deviceId, tenantId }: { readonly deviceId: string; readonly tenantId: string },
): Promise<DeviceState> {
  const attestation = await attestationFor(context, tenantId, deviceId);
  const refusal = await lastRefusal(context, deviceId);
  const plan = await selectDevicePlan(context.store.read, deviceId);
  const lastSeen = Math.max(attestation?.time ?? 0, refusal?.time ?? 0, plan?.issuedAt ?? 0);
  return {
    lastSeen: lastSeen === 0 ? null : toTime(lastSeen),
    attestation:
      attestation === null
        ? null
        : {
            verdict: attestation.verdict,
            reasons: [...attestation.reasons],
            claims: attestation.result.claims.map(({ claim, tier, reasons }) => ({
              claim,
              status: tier,
              reasons: [...reasons],
            })),
            time: toTime(attestation.time),
            requiredRelease: attestation.requiredRelease,
            nextCheck: toTime(attestation.nextCheck),
          },
    refusal: refusal === null ? null : { ...refusal, time: toTime(refusal.time) },
    osVersion: plan?.osVersion ?? null,
    installedImages: plan === undefined ? [] : readInstalled(plan.installed),
  };
}

/** The images that a device reported, as its row keeps them. */
export function writeInstalled(images: readonly PresentImage[]): string {
  return JSON.stringify(images.map((image) => ({ ...image, digest: toHex(image.digest) })));
}

function readInstalled(json: string): Device['installedImages'] {
  return INSTALLED.parse(JSON.parse(json)).map((image) => {
    const imageType = imageTypeName(image.imageType);
    if (imageType === null) throw new Error(`the database holds the unknown image type ${image.imageType}`);
    return { ...image, imageType };
  });
}
