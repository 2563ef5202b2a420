import {
  FLASH_MAP,
  IMAGE_TYPES,
  SYSTEM_COMPONENT_IDS,
  SYSTEM_IMAGE_TYPES,
  equalBytes,
  slotCapacity,
  type PlanPayload,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { ServicesError } from './errors.ts';
import type { InstalledImage } from './kernel.ts';

/** One image of a plan. */
export type PlannedImage = PlanPayload['images'][number];

/** What is to be done to follow a plan. */
export interface PlannedWork {
  /** To be downloaded and committed together; empty: nothing is missing. */
  readonly missing: readonly PlannedImage[];
  /** Present components that the plan takes away. */
  readonly remove: readonly string[];
  /** Ids of images that this device has left once and does not try again. */
  readonly held: readonly string[];
}

function refuse(
  code: 'PlanNotFresh' | 'PlanForAnotherDevice' | 'PlanImpossible',
  field: string,
  rule: string,
): never {
  throw new ServicesError(code, `The plan is refused at ${field}: ${rule}.`, { field, rule });
}

/** The plan answers this very request of this very device (its signature was checked before). */
export function requireOwnPlan(plan: PlanPayload, expected: { deviceId: string; nonce: Uint8Array }): void {
  if (!equalBytes(plan.nonce, expected.nonce)) refuse('PlanNotFresh', 'nonce', 'the nonce of our request');
  if (plan.deviceId !== expected.deviceId) refuse('PlanForAnotherDevice', 'deviceId', "this device's id");
}

function systemTypeOf(imageType: number): SystemImageTypeName | null {
  return SYSTEM_IMAGE_TYPES.find((name) => IMAGE_TYPES[name] === imageType) ?? null;
}

/** Every image has a place here: known type, the type's own component, a size that fits, each component once. */
function requirePossible(plan: PlanPayload): void {
  const components = new Set<string>();
  plan.images.forEach((image, index) => {
    const field = `images.${index}`;
    if (components.has(image.componentId))
      refuse('PlanImpossible', `${field}.componentId`, 'each component once');
    components.add(image.componentId);
    const system = systemTypeOf(image.imageType);
    if (system === null && image.imageType !== IMAGE_TYPES.Applications) {
      refuse('PlanImpossible', `${field}.imageType`, 'a system image type or Applications');
    }
    const own = Object.values(SYSTEM_COMPONENT_IDS).includes(image.componentId);
    if (
      own !== (system !== null) ||
      (system !== null && image.componentId !== SYSTEM_COMPONENT_IDS[system])
    ) {
      refuse('PlanImpossible', `${field}.componentId`, "the image type's own component");
    }
    const room = system === null ? FLASH_MAP.applications.bytes : slotCapacity(FLASH_MAP.system[system].A);
    if (image.size <= 0 || image.size > room) refuse('PlanImpossible', `${field}.size`, `1 to ${room} bytes`);
  });
  for (const component of plan.removeComponents) {
    if (components.has(component))
      refuse('PlanImpossible', 'removeComponents', 'no component that is also installed');
    if (Object.values(SYSTEM_COMPONENT_IDS).includes(component)) {
      refuse('PlanImpossible', 'removeComponents', 'no component of the OS');
    }
  }
}

/** What the device would have then is within its room for apps: better known before anything is downloaded. */
function requireRoom(plan: PlanPayload, active: readonly InstalledImage[]): void {
  const isApplication = ({ imageType }: { readonly imageType: number }): boolean =>
    imageType === IMAGE_TYPES.Applications;
  const planned = plan.images.filter(isApplication);
  const staying = active.filter(
    (present) =>
      isApplication(present) &&
      !plan.removeComponents.includes(present.componentId) &&
      !planned.some(({ componentId }) => componentId === present.componentId),
  );
  const sizes = [...planned, ...staying].map(({ size }) => size);
  const { most, bytes } = FLASH_MAP.applications;
  if (sizes.length > most || sizes.reduce((sum, size) => sum + size, 0) > bytes)
    refuse('PlanImpossible', 'images', `at most ${most} applications, of ${bytes} bytes in all`);
}

/**
 * What a plan means for what is installed. Pure. `left` are the ids of the images that each failed trial has left: as
 * long as the plan brings all images of one of these trials back, no image of the OS is touched. A plan with only some
 * of them is another system, which has its own trial: with one image mended, the rest of a release may stay as it was.
 */
export function decideWork(
  plan: PlanPayload,
  installed: readonly InstalledImage[],
  left: readonly (readonly string[])[],
): PlannedWork {
  requirePossible(plan);
  const active = installed.filter((image) => image.state === 'active');
  requireRoom(plan, active);
  const missing = plan.images.filter(
    (wanted) =>
      !active.some(
        (present) =>
          present.componentId === wanted.componentId &&
          present.imageId === wanted.imageId &&
          equalBytes(present.digest, wanted.digest),
      ),
  );
  const planned = new Set(plan.images.map((image) => image.imageId));
  const back = new Set(
    left
      .filter((imageIds) => imageIds.every((imageId) => planned.has(imageId)))
      .flatMap((imageIds) => imageIds),
  );
  const held = missing.filter((image) => back.has(image.imageId)).map((image) => image.imageId);
  const allowed = missing.filter((image) => held.length === 0 || systemTypeOf(image.imageType) === null);
  // A new keystore goes first and alone: what else is planned may be signed by a key that only it names (§6.7).
  const keystore = allowed.filter((image) => image.imageType === IMAGE_TYPES.TrustedKeystore);
  const remove = plan.removeComponents.filter((component) =>
    active.some((image) => image.componentId === component),
  );
  return keystore.length > 0 && allowed.length > 1
    ? { missing: keystore, remove: [], held }
    : { missing: allowed, remove, held };
}
