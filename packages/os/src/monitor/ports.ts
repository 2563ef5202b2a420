import { isBytes, type Port, type PortValue } from '@sevenfold/formats';
import { MonitorError } from './errors.ts';

type Fields = { readonly [key: string]: PortValue };

/** A record in the answer of a layer below. */
export function fieldsOf(value: PortValue | undefined): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isBytes(value)) {
    throw new MonitorError('HardwareFault', 'A layer below gave no record where one belongs.');
  }
  return value as Fields;
}

/** Bytes in the answer of a layer below. */
function bytesOf(value: PortValue | undefined): Uint8Array {
  if (!isBytes(value))
    throw new MonitorError('HardwareFault', 'A layer below gave no bytes where they belong.');
  return value;
}

/** A text in the answer of a layer below. */
export function textOf(value: PortValue | undefined): string {
  if (typeof value !== 'string')
    throw new MonitorError('HardwareFault', 'A layer below gave no text where one belongs.');
  return value;
}

/** One thing after the other: calls of a hostile kernel may come all at once, what they change may not. */
export function serially(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => {});
    return next;
  };
}

/** Flash as the monitor uses it. */
export interface FlashPort {
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
  program(offset: number, bytes: Uint8Array): Promise<void>;
  /** Whole sectors. */
  erase(offset: number, length: number): Promise<void>;
}

/** Whether flash refused because it is worn out there: another sector may take it. */
export function isWorn(error: unknown): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, 'code') === 'FlashWorn';
}

/** Flash behind the hardware's port. */
export function flashOver(hardware: Port): FlashPort {
  return {
    read: async (offset, length) => bytesOf(await hardware.call('readFlash', offset, length)),
    program: async (offset, bytes) => void (await hardware.call('programFlash', offset, bytes)),
    erase: async (offset, length) => void (await hardware.call('eraseFlash', offset, length)),
  };
}

/** What Pluton says of an image that it verified. */
export type VerifiedByPluton = {
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly securityVersion: number;
};

/** Pluton's mailbox as the monitor uses it. */
export interface PlutonPort {
  readonly port: Port;
  /** Throws what Pluton refused the image for. `measure`: it is about to run. */
  verifyImage(untrusted: Uint8Array, imageType: number, measure: boolean): Promise<VerifiedByPluton>;
  /** What a capability file enables on this device. Throws `FormatError`, `CapabilityRefused`. */
  openCapability(untrusted: Uint8Array, inForce: boolean): Promise<readonly string[]>;
  sha256(message: Uint8Array): Promise<Uint8Array>;
  raiseSecurityVersion(imageType: number, version: number): Promise<void>;
}

/** Wraps Pluton's mailbox. */
export function plutonOver(port: Port): PlutonPort {
  return {
    port,
    async verifyImage(untrusted, imageType, measure) {
      const fields = fieldsOf(await port.call('verifyImage', untrusted, imageType, measure));
      return {
        imageId: textOf(fields['imageId']),
        componentId: textOf(fields['componentId']),
        name: textOf(fields['name']),
        digest: bytesOf(fields['digest']),
        securityVersion: Number(fields['securityVersion']),
      };
    },
    openCapability: async (untrusted, inForce) => {
      const names = await port.call('openCapability', untrusted, inForce);
      return (Array.isArray(names) ? (names as readonly PortValue[]) : []).map((name) => textOf(name));
    },
    sha256: async (message) => bytesOf(await port.call('sha256', message)),
    raiseSecurityVersion: async (imageType, version) =>
      void (await port.call('raiseSecurityVersion', imageType, version)),
  };
}
