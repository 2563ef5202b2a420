import { APP_MANIFEST_PATH } from '../app-manifest.ts';
import { parseFileSystem } from '../asxipfs-parser.ts';
import { parseElf, type ElfProgram } from '../elf.ts';
import { FormatError } from '../errors.ts';
import { isJsonObject, parseJson, type JsonObject } from '../json.ts';
import { ASSIGNABLE_REGIONS } from './firewall-rules.ts';
import { BUS_REGION_NAMES, type BusRegion } from './bus-map.ts';
import { gpioPlace } from './registers.ts';

/** What a core needs to run an app: its program, and the regions of its peripherals. */
export interface CoreProgram {
  readonly program: ElfProgram;
  readonly regions: readonly BusRegion[];
}

/** Capabilities that name peripherals of real-time cores. */
const PERIPHERAL_FIELDS = [
  'Gpio',
  'Uart',
  'I2cMaster',
  'SpiMaster',
  'Adc',
  'Pwm',
  'I2sSubordinate',
  'ExternalInterrupt',
] as const;

/** Regions of a peripheral by its name in a manifest, or of a GPIO by its number; none: a core cannot have it. */
export function regionsOfPeripheral(name: unknown): readonly BusRegion[] {
  if (typeof name === 'number') {
    const region = gpioPlace(name)?.block.region;
    return region !== undefined && ASSIGNABLE_REGIONS.includes(region) ? [region] : [];
  }
  // An external interrupt is heard by whoever has its pin.
  const [, input] = /^EINT(\d{1,2})$/.exec(String(name)) ?? [];
  if (input !== undefined) return regionsOfPeripheral(Number(input));
  const [, kind = '', number = ''] =
    /^(ISU|ADC-CONTROLLER-|PWM-CONTROLLER-|I2S)(\d)$/.exec(String(name)) ?? [];
  const names: Readonly<Record<string, readonly string[]>> = {
    ISU: [`isu${number}`],
    'ADC-CONTROLLER-': ['adc'],
    'PWM-CONTROLLER-': [`gpio${number}`],
    I2S: [`i2s${number}`, `i2s${number}Data`],
  };
  return BUS_REGION_NAMES.filter((region) => names[kind]?.includes(region));
}

function regionsOf(capabilities: JsonObject): readonly BusRegion[] {
  const regions = PERIPHERAL_FIELDS.flatMap((field) => {
    const list = capabilities.get(field) ?? [];
    return (Array.isArray(list) ? list : [list]).flatMap((name: unknown) => {
      const found = regionsOfPeripheral(name);
      if (found.length > 0) return found;
      throw new FormatError('UndefinedPeripheralInManifest', `No real-time core can have ${String(name)}.`, {
        field: `Capabilities.${field}`,
        rule: 'a peripheral or GPIO of real-time cores',
      });
    });
  });
  return [...new Set(regions)];
}

/**
 * Reads what a real-time core needs from the payload of an app's verified image, and nothing else of it: the rest is
 * the kernel's to judge. Throws `FormatError`: `BadAppType` for an app of another kind.
 */
export function readCoreProgram(untrustedPayload: Uint8Array): CoreProgram {
  const files = parseFileSystem(untrustedPayload);
  const manifest = parseJson(files.read(APP_MANIFEST_PATH) ?? new Uint8Array(0));
  const fields: JsonObject = isJsonObject(manifest) ? manifest : new Map();
  if (fields.get('ApplicationType') !== 'RealTimeCapable') {
    throw new FormatError('BadAppType', 'This is no app for a real-time core.', {
      field: 'ApplicationType',
      rule: 'RealTimeCapable',
    });
  }
  const capabilities = fields.get('Capabilities');
  const entryPoint = fields.get('EntryPoint');
  const executable = typeof entryPoint === 'string' ? files.read(entryPoint) : null;
  return {
    program: parseElf(executable ?? new Uint8Array(0)),
    regions: isJsonObject(capabilities) ? regionsOf(capabilities) : [],
  };
}
