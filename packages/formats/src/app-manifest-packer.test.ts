import { describe, expect, it } from 'vitest';
import { packAppManifest } from './app-manifest-packer.ts';
import type { HardwareDefinition, HardwarePeripheral } from './hardware-definition.ts';
import { codeOf } from './testing/strictness.ts';
import { utf8Decode, utf8Encode } from './utf8.ts';

const COMPONENT = '2f074b0f-d99d-4692-82d9-ef93a7d6463c';

describe('packing a manifest', () => {
  const peripheral = (
    name: string,
    appManifestValue: number | string | null,
  ): [string, HardwarePeripheral] => [
    name,
    { name, type: 'Gpio', appManifestValue, mainCoreHeaderValue: null },
  ];
  const hardware: HardwareDefinition = {
    name: 'board',
    peripherals: new Map([peripheral('LED', 8), peripheral('ISU', 'ISU2'), peripheral('CHANNEL', null)]),
  };
  const source = (capabilities: unknown): Uint8Array =>
    utf8Encode(
      JSON.stringify(
        {
          SchemaVersion: 1,
          Name: 'n',
          ComponentId: COMPONENT,
          EntryPoint: '/bin/app',
          Capabilities: capabilities,
        },
        null,
        2,
      ),
    );

  it('puts values for names, minifies, and writes down type and runtime', () => {
    const packed = packAppManifest(source({ Gpio: ['$LED', 9], Uart: ['$ISU'] }), {
      hardware,
      runtimeVersion: 16,
    });
    expect(utf8Decode(packed)).toBe(
      `{"SchemaVersion":1,"Name":"n","ComponentId":"${COMPONENT}","EntryPoint":"/bin/app",` +
        `"Capabilities":{"Gpio":[8,9],"Uart":["ISU2"]},"ApplicationType":"Default","TargetApplicationRuntimeVersion":16}`,
    );
  });

  it('refuses names that the board does not have, channels, and what would be no manifest', () => {
    const pack = (capabilities: unknown, board: HardwareDefinition | null = hardware): string =>
      codeOf(() => packAppManifest(source(capabilities), { hardware: board, runtimeVersion: 16 }));
    expect(pack({ Gpio: ['$BUTTON'] })).toBe('UnresolvedHardwareName');
    expect(pack({ Gpio: ['$CHANNEL'] })).toBe('UnresolvedHardwareName');
    expect(pack({ Gpio: ['$LED'] }, null)).toBe('UnresolvedHardwareName');
    expect(pack({ Gpio: ['$ISU'] })).toBe('GpioParseError');
    expect(pack(undefined)).toBe('MissingCapabilitiesList');
  });
});
