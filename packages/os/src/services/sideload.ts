import {
  IMAGE_TYPES,
  bytesArgument,
  isGuid,
  parseImagePackage,
  textArgument,
  PortError,
  type PortValue,
} from '@sevenfold/formats';
import { ServicesError } from './errors.ts';
import type { BootInfo, Kernel } from './kernel.ts';

/** What sideloading works on. */
export interface SideloadContext {
  readonly kernel: Kernel;
  readonly boot: BootInfo;
}

/** Longest image package that the gateway takes. */
const PACKAGE = { min: 1, max: 2 * 1024 * 1024 } as const;
const WRITE = 64 * 1024;

/**
 * A product takes images from its service alone. Whoever is attached to it may bring some where the device is unlocked
 * for that, or has not left its manufacturing; what the images are signed by is the Security Monitor's affair.
 */
async function requireUnlocked({ kernel, boot }: SideloadContext): Promise<void> {
  const { manufacturingState } = await kernel.identity();
  if (boot.capabilities.length > 0 || manufacturingState !== 'DeviceComplete') return;
  throw new ServicesError('CapabilityRequired', 'This device is locked: it takes images from its service.', {
    rule: 'the capability appDevelopment or fieldServicing',
  });
}

/** Stages and commits one image. Throws `CapabilityRequired` and what the image is refused for. */
export async function sideload(
  context: SideloadContext,
  untrusted: PortValue | undefined,
): Promise<{ readonly restartRequired: boolean }> {
  await requireUnlocked(context);
  const { kernel } = context;
  const bytes = bytesArgument(untrusted, 'package', PACKAGE);
  const { imageType, componentId, imageId } = parseImagePackage(bytes).fields;
  const digest = await kernel.sha256(bytes);
  const { stagingId, written } = await kernel.stageBegin({
    imageType,
    componentId,
    imageId,
    size: bytes.length,
    digest,
  });
  for (let at = written; at < bytes.length; at += WRITE) {
    await kernel.stageWrite(stagingId, at, bytes.slice(at, at + WRITE));
  }
  await kernel.stageFinish(stagingId);
  const restartRequired = await kernel.commit([stagingId], []);
  if (imageType === IMAGE_TYPES.Applications) await kernel.appInstalled(componentId);
  return { restartRequired };
}

/** Takes one app away. Throws `CapabilityRequired`, `NoSuchComponent`. */
export async function sideloadRemove(
  context: SideloadContext,
  untrusted: PortValue | undefined,
): Promise<void> {
  await requireUnlocked(context);
  const componentId = textArgument(untrusted, 'componentId', 36);
  if (!isGuid(componentId)) {
    throw new PortError('BadArgument', 'componentId must be a GUID in lower case.', { field: 'componentId' });
  }
  await context.kernel.commit([], [componentId]);
  await context.kernel.appRemoved(componentId);
}
