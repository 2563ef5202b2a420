import { encodePlanPayload, encodeSign1, type PlanPayload, type PlanRequest } from '@sevenfold/formats';
import { ensureKey, thumbprint, type KeyStore } from '@sevenfold/pki';

import { currentForGroup } from '../deployments/deployments.ts';
import { currentForFeed } from '../deployments/os-releases.ts';
import { appointment, type Schedule } from '../device-port/schedule.ts';
import { findDeviceGroup } from '../registry/device-groups.ts';
import { findDevice, type RegisteredDevice } from '../registry/devices.ts';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { decidePlan, type Intent } from './decide-plan.ts';
import { nextStep } from './keystore-plan.ts';
import { replaceDevicePlan } from './queries.ts';
import { writeInstalled } from './device-state.ts';

/** What planning stands on. */
export type PlanContext = Pick<ServiceContext, 'store' | 'blobs' | 'keys' | 'clock' | 'entropy'> & {
  readonly schedule: Schedule;
};

const PLAN_SIGNING_KEY = 'plan-signing';

/** The public half (SPKI, DER) of the key that signs plans; made when it is asked for the first time. */
export async function planSigningKey(keys: KeyStore): Promise<Uint8Array> {
  return ensureKey(keys, PLAN_SIGNING_KEY);
}

/**
 * The plan of a device, as a COSE_Sign1: an answer to this very request, with nothing but what differs from what the
 * device reports. A claimed device gets the OS of its group's feed and the applications of its group; an unclaimed one
 * the OS of the Retail feed. Refuses with `UnknownDevice`, `DeviceBlocked` or `DeviceReleased`.
 */
export async function planForDevice(
  context: PlanContext,
  deviceId: string,
  request: PlanRequest,
): Promise<Uint8Array> {
  const device = await requireServed(context, deviceId);
  const intent = await intentFor(context, device);
  const change = decidePlan(intent, request.images);
  const { images, removeComponents } = await nextStep(
    context,
    device.chipSku,
    intent,
    change,
    request.images,
  );
  const issuedAt = context.clock.now();
  const nextCheck = appointment(context, 'plan');
  const release = intent.release?.name ?? null;
  await context.store.write((tx) =>
    replaceDevicePlan(tx, {
      deviceId,
      issuedAt,
      nextCheck: issuedAt + nextCheck * 1000,
      osVersion: request.osVersion ?? null,
      installed: writeInstalled(request.images),
      planned: JSON.stringify(images.map((image) => image.imageId)),
      release,
      failures: JSON.stringify(request.failures),
    }),
  );
  return signPlan(context.keys, {
    nonce: request.nonce,
    deviceId,
    issuedAt: Math.floor(issuedAt / 1000),
    nextCheck,
    release,
    images,
    removeComponents,
  });
}

/** The device, if it is known and not blocked: its certificate may be a day old, the registry is not. */
export async function requireServed(
  context: Pick<ServiceContext, 'store'>,
  deviceId: string,
): Promise<RegisteredDevice> {
  const device = await findDevice(context.store.read, deviceId);
  if (device === null) {
    throw new ServiceError('UnknownDevice', 'No silicon maker has endorsed this device.', {
      field: 'client certificate',
    });
  }
  if (device.blocked)
    throw new ServiceError('DeviceBlocked', 'The device’s owner has blocked it.', { rule: 'not blocked' });
  if (device.released) {
    throw new ServiceError('DeviceReleased', 'The device’s owner has given it up.', {
      rule: 'claimed by a tenant again',
    });
  }
  return device;
}

/** What is in force for the device: a few look-ups by key. */
async function intentFor(context: PlanContext, device: RegisteredDevice): Promise<Intent> {
  const db = context.store.read;
  const group = device.deviceGroupId === null ? null : await findDeviceGroup(db, device.deviceGroupId);
  const release = await currentForFeed(db, group?.osFeed ?? 'Retail', device.chipSku);
  const takesApplications = group !== null && group.updatePolicy === 'UpdateAll';
  const deployment = takesApplications ? await currentForGroup(db, group.deviceGroupId) : null;
  return { release, applications: deployment?.images ?? null };
}

async function signPlan(keys: KeyStore, plan: PlanPayload): Promise<Uint8Array> {
  const keyId = thumbprint(await planSigningKey(keys));
  const message = encodeSign1({ algorithm: 'ES256', keyId, payload: encodePlanPayload(plan) });
  return message.finish(await keys.sign(PLAN_SIGNING_KEY, message.toBeSigned));
}
