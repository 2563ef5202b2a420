import { IMAGE_TYPES, isBytes, type PortValue } from '@sevenfold/formats';
import { KernelError } from './errors.ts';

type Fields = { readonly [key: string]: PortValue };

function fieldsOf(value: PortValue | undefined, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isBytes(value)) {
    throw new KernelError('BadReply', `The monitor's ${what} is no record.`, { field: what });
  }
  // A record of a port: what is neither null, an array nor bytes.
  return value as Fields;
}

function listOf(value: PortValue | undefined, what: string): readonly PortValue[] {
  if (!Array.isArray(value))
    throw new KernelError('BadReply', `The monitor's ${what} is no list.`, { field: what });
  return value as readonly PortValue[];
}

/** What the kernel takes from the monitor's `bootInfo`. */
export interface BootFacts {
  /** Version of the running kernel image, which names the OS release. */
  readonly osVersion: string;
  /** The last reset came from the watchdog: something kept the normal world from answering. */
  readonly wasHung: boolean;
}

/** Reads `bootInfo`. */
export function readBootFacts(bootInfo: PortValue): BootFacts {
  const { resetReason, stages } = fieldsOf(bootInfo, 'bootInfo');
  const kernel = listOf(stages, 'bootInfo.stages')
    .map((stage) => fieldsOf(stage, 'bootInfo.stages'))
    .find(({ imageType }) => imageType === IMAGE_TYPES.NormalWorldKernel);
  const name = typeof kernel?.['name'] === 'string' ? kernel['name'] : '';
  return {
    osVersion: /(?:^|\s)(\d+(?:\.\d+){1,3})$/.exec(name)?.[1] ?? '',
    wasHung: typeof resetReason === 'string' && /watchdog/i.test(resetReason),
  };
}

/** Component ids of the installed apps in the monitor's `listImages`. */
export function readInstalledApplications(images: PortValue): readonly string[] {
  return listOf(images, 'listImages')
    .map((image) => fieldsOf(image, 'listImages'))
    .filter(({ imageType, state }) => imageType === IMAGE_TYPES.Applications && state === 'active')
    .flatMap(({ componentId }) => (typeof componentId === 'string' ? [componentId] : []));
}

/** The device id in the monitor's `identity`. */
export function readIdentity(identity: PortValue): { readonly deviceId: string; readonly chipSku: number } {
  const { deviceId, chipSku } = fieldsOf(identity, 'identity');
  if (typeof deviceId !== 'string' || typeof chipSku !== 'number')
    throw new KernelError('BadReply', 'The monitor gave no identity.', { field: 'identity' });
  return { deviceId, chipSku };
}
