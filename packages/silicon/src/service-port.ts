import { SiliconError } from './errors.ts';
import type { Fuses, ManufacturingState } from './fuses.ts';

/**
 * What each manufacturing state still lets anybody do at the service port who stands before the device
 * (azure-sphere.md §9.1). Everything that a capability may unlock on a finished device is the Security Monitor's to
 * judge; what stands here needs no signature of anybody.
 */
export const SERVICE_PORT = {
  /** Device id and manufacturing state. */
  readIdentity: { Blank: true, Module1Complete: true, DeviceComplete: true },
  /** Burning SKU, root key hash and boot policy, and having Pluton make its keys. */
  manufacture: { Blank: true, Module1Complete: false, DeviceComplete: false },
  /** Writing the first contents of flash, signed by whomever. */
  writeFlash: { Blank: true, Module1Complete: true, DeviceComplete: false },
  /** Going on to the next state. */
  finishState: { Blank: true, Module1Complete: true, DeviceComplete: false },
  /** Handing the mask ROM a recovery set: signatures decide. */
  recover: { Blank: true, Module1Complete: true, DeviceComplete: true },
} as const satisfies Record<string, Readonly<Record<ManufacturingState, boolean>>>;
export type ServicePortOperation = keyof typeof SERVICE_PORT;

/** The service port's own gate: it looks at the fuses each time, so that a state holds from the moment it is burnt. */
export class ServicePort {
  readonly #fuses: Fuses;

  constructor(fuses: Fuses) {
    this.#fuses = fuses;
  }

  allows(operation: ServicePortOperation): boolean {
    return SERVICE_PORT[operation][this.#fuses.manufacturingState];
  }

  /** Throws `ServicePortClosed` for what the chip's state does not allow any more. */
  require(operation: ServicePortOperation): void {
    if (this.allows(operation)) return;
    throw new SiliconError(
      'ServicePortClosed',
      `A chip that is ${this.#fuses.manufacturingState} no longer lets anybody ${operation} at its service port.`,
      { field: operation, rule: 'before that state' },
    );
  }
}
