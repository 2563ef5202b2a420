import { pinsOfCapabilities, regionsOfPeripheral, type AppCapabilities } from '@sevenfold/formats';
import type { Application } from './application-image.ts';
import { KernelError, type KernelErrorCode } from './errors.ts';

/** What only one app of a device may have: what it is called, and which of it an app names. */
interface ClaimRow {
  readonly field: string;
  readonly error: KernelErrorCode;
  readonly of: (capabilities: AppCapabilities) => readonly (number | string)[];
}

/** GPIOs are granted in blocks of four (azure-sphere.md §1.2); each PWM controller is one block of pins (§1.1). */
const PINS_A_BLOCK = 4;
const blockOf = (pin: number): number => Math.floor(pin / PINS_A_BLOCK);
const controllerBlock = (name: string): number => Number(name.slice(-1));

const CLAIMS: readonly ClaimRow[] = [
  { field: 'Gpio', error: 'RequestedGpioAlreadyInUse', of: ({ gpio }) => gpio },
  {
    field: 'Gpio',
    error: 'GpioBlockConflict',
    of: ({ gpio, pwm }) => [...gpio.map(blockOf), ...pwm.map(controllerBlock)],
  },
  {
    field: 'Uart',
    error: 'RequestedPeripheralAlreadyInUse',
    // One serial unit is a UART, an I2C master or an SPI master.
    of: ({ uart, i2cMaster, spiMaster }) => [...uart, ...i2cMaster, ...spiMaster],
  },
  { field: 'Adc', error: 'RequestedPeripheralAlreadyInUse', of: ({ adc }) => adc },
  { field: 'Pwm', error: 'RequestedPeripheralAlreadyInUse', of: ({ pwm }) => pwm },
  // A pin that is a GPIO of the one and belongs to a serial unit or to the ADC of the other.
  { field: 'Gpio', error: 'RequestedGpioAlreadyInUse', of: pinsOfCapabilities },
  {
    field: 'AllowedTcpServerPorts',
    error: 'DuplicateTcpUdpPortDetected',
    of: ({ allowedTcpServerPorts }) => allowedTcpServerPorts,
  },
  {
    field: 'AllowedUdpServerPorts',
    error: 'DuplicateTcpUdpPortDetected',
    of: ({ allowedUdpServerPorts }) => allowedUdpServerPorts,
  },
];

/** The firewall gives whole blocks to a core: what shares one with the app of another core is that core's. */
function requireRegions(application: Application, other: Application): void {
  if (application.kind === 'highLevel' && other.kind === 'highLevel') return;
  const taken = regionsOf(other);
  const conflict = regionsOf(application).find((region) => taken.includes(region));
  if (conflict === undefined) return;
  throw new KernelError(
    'RequestedPeripheralAlreadyInUse',
    `The app ${other.name} has ${conflict} for its core.`,
    {
      field: 'Capabilities',
      rule: 'no block of peripherals that an app on another core has',
    },
  );
}

function regionsOf({ capabilities }: Application): readonly string[] {
  const { gpio, uart, i2cMaster, spiMaster, adc, pwm, i2sSubordinate, externalInterrupt } = capabilities;
  const serial = [...uart, ...i2cMaster, ...spiMaster];
  return [...gpio, ...serial, ...adc, ...pwm, ...i2sSubordinate, ...externalInterrupt].flatMap(
    regionsOfPeripheral,
  );
}

/** Refuses an app that names what another installed app has, with the documented error (azure-sphere.md §3.6, §4.1). */
export function requireUnclaimed(application: Application, others: Iterable<Application>): void {
  for (const other of others) {
    if (other.componentId === application.componentId) continue;
    requireRegions(application, other);
    for (const { field, error, of } of CLAIMS) {
      const taken = new Set(of(other.capabilities));
      const conflict = of(application.capabilities).find((item) => taken.has(item));
      if (conflict !== undefined) {
        throw new KernelError(error, `The app ${other.name} has ${String(conflict)} of ${field} already.`, {
          field: `Capabilities.${field}`,
          rule: 'of no other installed app',
        });
      }
    }
  }
}
