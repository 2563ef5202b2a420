import { ISU_REGIONS, registerAddress } from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import { KernelError } from '../errors.ts';
import type { Wanted } from './ownership.ts';

/** What a serial unit may be used as, and the manifest's field for it. */
const SERIAL_USES = {
  UART: { field: 'Uart', capability: 'uart' },
  I2C: { field: 'I2cMaster', capability: 'i2cMaster' },
  SPI: { field: 'SpiMaster', capability: 'spiMaster' },
} as const;
export type SerialUse = keyof typeof SERIAL_USES;

/** The address of a register of unit `index`, `offset` bytes from its start. Throws `NoSuchDevice`. */
export function unitAddress(index: number, offset: number): number {
  const region = ISU_REGIONS[index];
  if (region === undefined) throw new KernelError('NoSuchDevice', `This chip has no ISU${index}.`);
  return registerAddress(region, offset);
}

/** What is asked of the ownership for a use of a unit; `part` tells apart what may be open side by side. */
export function wantedUnit(compartment: Compartment, index: number, use: SerialUse, part = ''): Wanted {
  unitAddress(index, 0);
  const { field, capability } = SERIAL_USES[use];
  return {
    name: unitName(index, use, part),
    isNamed: compartment.application.capabilities[capability].includes(`ISU${index}`),
    field,
    unit: { name: `ISU${index}`, use },
  };
}

/** As `Ownership` knows it. */
export function unitName(index: number, use: SerialUse, part = ''): string {
  return `ISU${index} (${use}${part})`;
}
