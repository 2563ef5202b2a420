import {
  DEVICE_PATHS,
  IMAGE_TYPES,
  decodePlanPayload,
  decodeSign1,
  encodePlanRequest,
  devicePathOfImage,
  type CertStore,
  type Clock,
  type PlanPayload,
} from '@sevenfold/formats';
import { ServicesError, describeError } from './errors.ts';
import type { Kernel, TlsIdentity } from './kernel.ts';
import { decideWork, requireOwnPlan, type PlannedImage } from './plan-decision.ts';
import { openServiceSession, type ServiceSession } from './service-session.ts';

/** What one run of the updater did. */
export interface UpdateOutcome {
  /** Names of the images that were committed. */
  readonly installed: readonly string[];
  readonly removed: readonly string[];
  /** The OS changed: the device must reset for it. */
  readonly restartRequired: boolean;
  /** Ids of planned images that this device does not try again. */
  readonly held: readonly string[];
  /** Milliseconds to the next request, as the service wishes. */
  readonly nextCheck: number;
  /** When the service signed the plan: milliseconds since 1970. */
  readonly issuedAt: number;
}

/** What the updater knows of this device. */
export interface UpdaterContext {
  readonly kernel: Kernel;
  readonly store: CertStore;
  readonly clock: Clock;
  readonly deviceId: string;
  readonly osVersion: string;
  /** What went wrong at boot, a line each, for the plan request. */
  readonly failures: readonly string[];
  /** Ids of the images that each failed trial has left. */
  readonly left: readonly (readonly string[])[];
  /** False on a device under development. */
  readonly takesApplications: boolean;
  readonly log: (line: string) => void;
}

/** Bytes of one download request, and of one write to flash. */
const DOWNLOAD = 256 * 1024;
const WRITE = 64 * 1024;
/** Milliseconds after which apps that put an update off are asked again, since they may have changed their mind. */
const ASK_AGAIN = 15 * 60_000;
/** Tries of one part of an image over fresh connections, and the pause before the second one in milliseconds. */
const DOWNLOAD_TRIES = 3;
const DOWNLOAD_PAUSE = 1000;

/** Asks for the plan and follows it: all of it or, if anything fails, nothing. */
export async function runUpdate(context: UpdaterContext, identity: TlsIdentity): Promise<UpdateOutcome> {
  const { kernel } = context;
  const planned = await requestPlan(context, identity);
  const plan = context.takesApplications ? planned : withoutApplications(context, planned);
  const work = decideWork(plan, await kernel.listImages(), context.left);
  const outcome = {
    held: work.held,
    nextCheck: plan.nextCheck * 1000,
    issuedAt: plan.issuedAt * 1000,
    removed: work.remove,
  };
  if (work.missing.length === 0 && work.remove.length === 0) {
    await kernel.updateState('none');
    return { ...outcome, installed: [], restartRequired: false };
  }
  await kernel.updateState('started');

  const stagingIds: number[] = [];
  const download = new Download(context, identity);
  try {
    for (const image of work.missing) stagingIds.push(await download.stage(image));
  } finally {
    await download.close();
  }
  const isSystem = work.missing.some(({ imageType }) => imageType !== IMAGE_TYPES.Applications);
  const deferral = await kernel.updateReady(isSystem ? 'system' : 'application');
  if (deferral > 0) {
    // What was downloaded stays in flash: the next round finds it there and asks again.
    context.log(`apps put the update off for ${Math.ceil(deferral / 60_000)} minutes`);
    const nextCheck = Math.min(outcome.nextCheck, deferral, ASK_AGAIN);
    return { ...outcome, nextCheck, removed: [], installed: [], restartRequired: false };
  }
  const restartRequired = await kernel.commit(stagingIds, work.remove);
  const installed = work.missing.map((image) => image.name);
  context.log(`committed: ${[...installed, ...work.remove.map((id) => `without ${id}`)].join(', ')}`);
  // After a restart every app starts from what was committed anyway.
  if (!restartRequired) {
    await announceApps(context, work);
    await kernel.updateState('complete');
  }
  return { ...outcome, installed, restartRequired };
}

/** What is left of a plan on a device under development: its apps are its developer's. */
function withoutApplications({ log }: UpdaterContext, plan: PlanPayload): PlanPayload {
  const images = plan.images.filter(({ imageType }) => imageType !== IMAGE_TYPES.Applications);
  const left = plan.images.length - images.length;
  if (left > 0)
    log(`left ${left} planned app${left === 1 ? '' : 's'}: under development, apps are the developer's`);
  return { ...plan, images, removeComponents: [] };
}

/** Steps in order: ask with a fresh nonce; signed by a plan key; answer to this request; for this device. */
async function requestPlan(context: UpdaterContext, identity: TlsIdentity): Promise<PlanPayload> {
  const { kernel, deviceId, osVersion, failures } = context;
  const nonce = await kernel.random(32);
  const images = (await kernel.listImages())
    .filter((image) => image.state === 'active')
    .map(({ imageType, componentId, imageId, digest }) => ({ imageType, componentId, imageId, digest }));
  const session = await openServiceSession(kernel, context.store, identity);
  try {
    const answer = await session.post(
      DEVICE_PATHS.plan,
      encodePlanRequest({ nonce, images, osVersion, failures: [...failures] }),
    );
    const signed = decodeSign1(answer);
    const isGenuine =
      signed.algorithm === 'ES256' &&
      signed.keyId !== null &&
      (await kernel.verifySigned('plan', signed.toBeSigned, signed.signature, signed.keyId));
    if (!isGenuine) {
      const rule = 'signed by a key that the keystore trusts for plans';
      throw new ServicesError('PlanNotGenuine', `The plan is refused: it must be ${rule}.`, { rule });
    }
    const plan = decodePlanPayload(signed.payload);
    requireOwnPlan(plan, { deviceId, nonce });
    return plan;
  } finally {
    await session.close();
  }
}

async function announceApps(
  { kernel, log }: UpdaterContext,
  work: { missing: readonly PlannedImage[]; remove: readonly string[] },
): Promise<void> {
  const changes = [
    ...work.remove.map((id) => ({ id, change: () => kernel.appRemoved(id) })),
    ...work.missing
      .filter((image) => image.imageType === IMAGE_TYPES.Applications)
      .map((image) => ({ id: image.componentId, change: () => kernel.appInstalled(image.componentId) })),
  ];
  for (const { id, change } of changes) {
    try {
      await change();
    } catch (error) {
      // The update itself is committed; an app that does not start is the kernel's to report.
      log(`app ${id} did not start: ${describeError(error)}`);
    }
  }
}

/** Downloads of one update, over one connection as long as it holds. */
class Download {
  readonly #context: UpdaterContext;
  readonly #identity: TlsIdentity;
  #session: ServiceSession | null = null;

  constructor(context: UpdaterContext, identity: TlsIdentity) {
    this.#context = context;
    this.#identity = identity;
  }

  /** Stages one image from where an earlier try ended; gives its staging id, verified. */
  async stage(image: PlannedImage): Promise<number> {
    const { kernel, log } = this.#context;
    const { imageType, componentId, imageId, size, digest } = image;
    const { stagingId, written } = await kernel.stageBegin({ imageType, componentId, imageId, size, digest });
    log(`downloading ${image.name} (${size} bytes${written > 0 ? ` from ${written}` : ''})`);
    let offset = written;
    while (offset < size) {
      const part = await this.#part(imageId, offset, Math.min(DOWNLOAD, size - offset));
      for (let start = 0; start < part.length; start += WRITE) {
        await kernel.stageWrite(stagingId, offset + start, part.slice(start, start + WRITE));
      }
      offset += part.length;
    }
    await kernel.stageFinish(stagingId);
    return stagingId;
  }

  async #part(imageId: string, offset: number, length: number): Promise<Uint8Array> {
    const { kernel, store, clock } = this.#context;
    for (let attempt = 1; ; attempt++) {
      try {
        this.#session ??= await openServiceSession(kernel, store, this.#identity);
        return await this.#session.range(devicePathOfImage(imageId), offset, length);
      } catch (error) {
        await this.close();
        // What the service itself refuses will not be different in a second.
        if (error instanceof ServicesError || attempt === DOWNLOAD_TRIES) throw error;
        await clock.sleep(DOWNLOAD_PAUSE * attempt);
      }
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.close();
  }
}
