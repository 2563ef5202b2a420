import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SYSTEM_COMPONENT_IDS } from './abi/image-types.ts';
import { parseAppImage, parseAppManifest } from './app-manifest.ts';
import { writeFileSystem } from './asxipfs.ts';
import { FormatError } from './errors.ts';
import { codeOf, mutate, seededRandom } from './testing/strictness.ts';
import { utf8Encode } from './utf8.ts';

/** As an SDK of the original packs it (azure-sphere.md §2.4). */
const BLINK = {
  SchemaVersion: 1,
  Name: 'AzureSphereBlinkTest',
  ComponentId: '2f074b0f-d99d-4692-82d9-ef93a7d6463c',
  EntryPoint: '/bin/app',
  CmdArgs: [],
  Capabilities: { Gpio: [8], AllowedApplicationConnections: [] },
  ApplicationType: 'Default',
  TargetApplicationRuntimeVersion: 12,
} as const;
const TENANT = '0a0a0a0a-1111-4222-8333-444444444444';

const bytesOf = (json: unknown): Uint8Array => utf8Encode(JSON.stringify(json));
const withField = (name: string, value: unknown): Uint8Array => bytesOf({ ...BLINK, [name]: value });
const withoutField = (name: string): Uint8Array =>
  bytesOf(Object.fromEntries(Object.entries(BLINK).filter(([key]) => key !== name)));
const withCapability = (capabilities: unknown): Uint8Array => withField('Capabilities', capabilities);

describe('application manifest', () => {
  it('reads a manifest of the original: nothing is on but what it names', () => {
    const manifest = parseAppManifest(bytesOf(BLINK));
    expect(manifest).toMatchObject({
      schemaVersion: 1,
      name: 'AzureSphereBlinkTest',
      componentId: '2f074b0f-d99d-4692-82d9-ef93a7d6463c',
      entryPoint: '/bin/app',
      cmdArgs: [],
      applicationType: 'Default',
      targetApplicationRuntimeVersion: 12,
      targetBetaApis: null,
      mallocVersion: null,
    });
    const granted = Object.entries(manifest.capabilities).filter(
      ([, value]) =>
        value !== false && value !== null && value !== 0 && !(Array.isArray(value) && value.length === 0),
    );
    expect(granted).toEqual([['gpio', [8]]]);
  });

  it('reads every capability there is', () => {
    const { capabilities } = parseAppManifest(
      withCapability({
        AllowedConnections: ['Telemetry.Example.com', '192.0.2.7', '_http._tcp.local'],
        AllowedTcpServerPorts: [0, 65535],
        AllowedUdpServerPorts: [53],
        AllowedApplicationConnections: [TENANT.toUpperCase()],
        DeviceAuthentication: TENANT.toUpperCase(),
        Gpio: [0, 75, 80],
        Uart: ['ISU0'],
        I2cMaster: ['ISU1'],
        SpiMaster: ['ISU2'],
        Adc: ['ADC-CONTROLLER-0'],
        Pwm: ['PWM-CONTROLLER-2'],
        I2sSubordinate: ['I2S0'],
        ExternalInterrupt: ['EINT5'],
        MutableStorage: { SizeKB: 64 },
        WifiConfig: true,
        EnterpriseWifiConfig: true,
        CertStore: true,
        NetworkConfig: true,
        ReadNetworkProxyConfig: true,
        HardwareAddressConfig: true,
        DhcpService: true,
        SntpService: true,
        SystemTime: true,
        TimeSyncConfig: true,
        SystemEventNotifications: true,
        SoftwareUpdateDeferral: true,
        PowerControls: ['ForceReboot', 'SetPowerProfile'],
        ResetMemoryWatermarks: true,
        HeapMemStats: true,
        MemorySnapshot: true,
      }),
    );
    expect(capabilities).toMatchObject({
      allowedConnections: ['telemetry.example.com', '192.0.2.7', '_http._tcp.local'],
      allowedTcpServerPorts: [0, 65535],
      allowedUdpServerPorts: [53],
      allowedApplicationConnections: [TENANT],
      deviceAuthentication: TENANT,
      gpio: [0, 75, 80],
      uart: ['ISU0'],
      mutableStorageKb: 64,
      powerControls: ['ForceReboot', 'SetPowerProfile'],
    });
    expect(Object.values(capabilities).filter((value) => value === false)).toEqual([]);
  });

  it.each<[string, Uint8Array, string, string | undefined]>([
    ['no JSON', utf8Encode('{'), 'InvalidJson', undefined],
    ['a list', bytesOf([]), 'InvalidJson', undefined],
    ['a field twice', utf8Encode('{"Name":"a","Name":"b"}'), 'DuplicateJsonKey', 'Name'],
    ['more than 64 KiB', new Uint8Array(70_000), 'JsonTooLarge', undefined],
    ['no schema version', withoutField('SchemaVersion'), 'MissingSchemaVersion', 'SchemaVersion'],
    ['another schema version', withField('SchemaVersion', 2), 'IncompatibleSchemaVersion', 'SchemaVersion'],
    [
      'a schema version as text',
      withField('SchemaVersion', '1'),
      'IncompatibleSchemaVersion',
      'SchemaVersion',
    ],
    ['no name', withoutField('Name'), 'BadName', 'Name'],
    ['an empty name', withField('Name', ''), 'BadName', 'Name'],
    ['a name with an escape sequence', withField('Name', 'a\u001b[2J'), 'BadName', 'Name'],
    [
      'half a character in a name',
      utf8Encode(JSON.stringify({ ...BLINK, Name: '@' }).replace('@', '\\ud800')),
      'BadName',
      'Name',
    ],
    ['no component id', withoutField('ComponentId'), 'BadComponentId', 'ComponentId'],
    ['a component id that is no GUID', withField('ComponentId', 'blink'), 'BadComponentId', 'ComponentId'],
    [
      'a component id of the OS',
      withField('ComponentId', SYSTEM_COMPONENT_IDS.SecurityMonitor),
      'BadComponentId',
      'ComponentId',
    ],
    ['no entry point', withoutField('EntryPoint'), 'MissingEntryPoint', 'EntryPoint'],
    ['an entry point that is no text', withField('EntryPoint', 7), 'BadEntryPoint', 'EntryPoint'],
    [
      'an entry point outside of the image',
      withField('EntryPoint', '/../bin/app'),
      'BadEntryPoint',
      'EntryPoint',
    ],
    ['a relative entry point', withField('EntryPoint', 'bin/app'), 'BadEntryPoint', 'EntryPoint'],
    ['arguments that are no list', withField('CmdArgs', '-v'), 'CmdArgParseError', 'CmdArgs'],
    ['an argument that is no text', withField('CmdArgs', [1]), 'CmdArgParseError', 'CmdArgs'],
    ['an argument with a NUL', withField('CmdArgs', ['a\0b']), 'CmdArgParseError', 'CmdArgs'],
    [
      'arguments of a real-time app',
      bytesOf({ ...BLINK, ApplicationType: 'RealTimeCapable', CmdArgs: ['x'] }),
      'CmdArgParseError',
      'CmdArgs',
    ],
    ['an unknown app type', withField('ApplicationType', 'Debugger'), 'BadAppType', 'ApplicationType'],
    ['an app type that is no text', withField('ApplicationType', 1), 'NonStringAppType', 'ApplicationType'],
    [
      'runtime version 0',
      withField('TargetApplicationRuntimeVersion', 0),
      'TargetApplicationRuntimeVersionParseError',
      'TargetApplicationRuntimeVersion',
    ],
    [
      'beta APIs that are no name',
      withField('TargetBetaApis', 'Beta 2001'),
      'TargetBetaApisParseError',
      'TargetBetaApis',
    ],
    ['malloc version 3', withField('MallocVersion', 3), 'MallocVersionParseError', 'MallocVersion'],
    ['no capabilities', withoutField('Capabilities'), 'MissingCapabilitiesList', 'Capabilities'],
    [
      'capabilities that are a list',
      withField('Capabilities', []),
      'MissingCapabilitiesList',
      'Capabilities',
    ],
    ['a policy', withField('PolicyGroups', []), 'CustomerManifestHasPolicy', 'PolicyGroups'],
    ['an unknown field', withField('Autostart', true), 'UnknownManifestField', 'Autostart'],
    [
      'a capability of the OS alone',
      withCapability({ Update: true }),
      'CustomerRequestedIllegalCapability',
      'Capabilities.Update',
    ],
    [
      'a capability in another spelling',
      withCapability({ gpio: [8] }),
      'CustomerRequestedIllegalCapability',
      'Capabilities.gpio',
    ],
    [
      'connections that are no list',
      withCapability({ AllowedConnections: 'a.example' }),
      'ConnectionsParseError',
      'Capabilities.AllowedConnections',
    ],
    [
      'a connection to a URL',
      withCapability({ AllowedConnections: ['https://a.example'] }),
      'ConnectionsParseError',
      'Capabilities.AllowedConnections[0]',
    ],
    [
      'a connection to anybody',
      withCapability({ AllowedConnections: ['*'] }),
      'ConnectionsParseError',
      'Capabilities.AllowedConnections[0]',
    ],
    [
      'a connection to nobody',
      withCapability({ AllowedConnections: [''] }),
      'ConnectionsParseError',
      'Capabilities.AllowedConnections[0]',
    ],
    [
      'a TCP port that is no number',
      withCapability({ AllowedTcpServerPorts: ['80'] }),
      'AllowedTcpPortsParseError',
      'Capabilities.AllowedTcpServerPorts[0]',
    ],
    [
      'a TCP port out of range',
      withCapability({ AllowedTcpServerPorts: [65536] }),
      'IllegalTcpPortsValue',
      'Capabilities.AllowedTcpServerPorts[0]',
    ],
    [
      'a TCP port twice',
      withCapability({ AllowedTcpServerPorts: [1, 1] }),
      'DuplicateTcpUdpPortDetected',
      'Capabilities.AllowedTcpServerPorts',
    ],
    [
      'a UDP port that is a fraction',
      withCapability({ AllowedUdpServerPorts: [1.5] }),
      'AllowedUdpPortsParseError',
      'Capabilities.AllowedUdpServerPorts[0]',
    ],
    [
      'a UDP port below zero',
      withCapability({ AllowedUdpServerPorts: [-1] }),
      'IllegalUdpPortsValue',
      'Capabilities.AllowedUdpServerPorts[0]',
    ],
    [
      'a partner that is no GUID',
      withCapability({ AllowedApplicationConnections: ['x'] }),
      'AllowedApplicationConnectionsParseError',
      'Capabilities.AllowedApplicationConnections[0]',
    ],
    [
      'a tenant that is no text',
      withCapability({ DeviceAuthentication: true }),
      'DeviceAuthTenantIdParseError',
      'Capabilities.DeviceAuthentication',
    ],
    [
      'a tenant that is no GUID',
      withCapability({ DeviceAuthentication: 'mine' }),
      'DeviceAuthTenantIdParseError',
      'Capabilities.DeviceAuthentication',
    ],
    [
      'a tenant id that is too long',
      withCapability({ DeviceAuthentication: `${TENANT}0` }),
      'DeviceAuthTenantIdTooLong',
      'Capabilities.DeviceAuthentication',
    ],
    ['a GPIO that is a text', withCapability({ Gpio: ['8'] }), 'GpioParseError', 'Capabilities.Gpio[0]'],
    ['GPIOs that are no list', withCapability({ Gpio: 8 }), 'GpioParseError', 'Capabilities.Gpio'],
    [
      'a GPIO that the chip has not',
      withCapability({ Gpio: [76] }),
      'UndefinedGpioInManifest',
      'Capabilities.Gpio[0]',
    ],
    [
      'a GPIO twice',
      withCapability({ Gpio: [8, 8] }),
      'RequestedPeripheralsRequireSamePin',
      'Capabilities.Gpio',
    ],
    [
      'a name of a hardware definition',
      withCapability({ Gpio: ['$LED'] }),
      'UnresolvedHardwareName',
      'Capabilities.Gpio[0]',
    ],
    [
      'a UART that the chip has not',
      withCapability({ Uart: ['ISU5'] }),
      'UartNotAvailable',
      'Capabilities.Uart[0]',
    ],
    [
      'a UART that is a number',
      withCapability({ Uart: [4] }),
      'PeripheralParseError',
      'Capabilities.Uart[0]',
    ],
    [
      'an ADC that the chip has not',
      withCapability({ Adc: ['ADC-CONTROLLER-1'] }),
      'UndefinedPeripheralInManifest',
      'Capabilities.Adc[0]',
    ],
    ['a PWM channel', withCapability({ Pwm: [0] }), 'PeripheralParseError', 'Capabilities.Pwm[0]'],
    [
      'one ISU as UART and as I2C',
      withCapability({ Uart: ['ISU0'], I2cMaster: ['ISU0'] }),
      'RequestedPeripheralsRequireSamePin',
      'Capabilities.Uart, I2cMaster, SpiMaster',
    ],
    ...[
      { Pwm: ['PWM-CONTROLLER-2'], Gpio: [9] },
      { Adc: ['ADC-CONTROLLER-0'], Gpio: [48] },
      { Uart: ['ISU0'], Gpio: [26] },
      { I2cMaster: ['ISU1'], Gpio: [33] },
      { SpiMaster: ['ISU4'], Gpio: [74] },
    ].map((capabilities): [string, Uint8Array, string, string] => [
      `a GPIO that a peripheral of the app takes: ${JSON.stringify(capabilities)}`,
      withCapability(capabilities),
      'RequestedPeripheralsRequireSamePin',
      'Capabilities.Gpio',
    ]),
    [
      'mutable storage as a number',
      withCapability({ MutableStorage: 8 }),
      'NonObjectMutableStorageType',
      'Capabilities.MutableStorage',
    ],
    [
      'mutable storage of no size',
      withCapability({ MutableStorage: {} }),
      'MutableStorageMissingRequiredField',
      'Capabilities.MutableStorage.SizeKB',
    ],
    [
      'mutable storage of a negative size',
      withCapability({ MutableStorage: { SizeKB: -1 } }),
      'ErrorParsingMutableStorageField',
      'Capabilities.MutableStorage',
    ],
    [
      'mutable storage with more fields',
      withCapability({ MutableStorage: { SizeKB: 1, Path: '/' } }),
      'ErrorParsingMutableStorageField',
      'Capabilities.MutableStorage',
    ],
    [
      'more mutable storage than there may be',
      withCapability({ MutableStorage: { SizeKB: 65 } }),
      'MutableStorageRequestTooLarge',
      'Capabilities.MutableStorage.SizeKB',
    ],
    [
      'a switch that is a text',
      withCapability({ WifiConfig: 'true' }),
      'WifiParseError',
      'Capabilities.WifiConfig',
    ],
    [
      'a switch that is null',
      withCapability({ SystemTime: 0 }),
      'SystemTimeParseError',
      'Capabilities.SystemTime',
    ],
    [
      'enterprise Wi-Fi alone',
      withCapability({ EnterpriseWifiConfig: true }),
      'EnterpriseWifiConfigParseError',
      'Capabilities.EnterpriseWifiConfig',
    ],
    [
      'deferral without notifications',
      withCapability({ SoftwareUpdateDeferral: true }),
      'SoftwareUpdateDeferralParseError',
      'Capabilities.SoftwareUpdateDeferral',
    ],
    [
      'power controls that are no list',
      withCapability({ PowerControls: 'ForceReboot' }),
      'PowerControlsMalformed',
      'Capabilities.PowerControls',
    ],
    [
      'no power control in the list',
      withCapability({ PowerControls: [] }),
      'PowerControlsEmpty',
      'Capabilities.PowerControls',
    ],
    [
      'an unknown power control',
      withCapability({ PowerControls: ['Hibernate'] }),
      'PowerControlsInvalidEntry',
      'Capabilities.PowerControls[0]',
    ],
  ])('refuses %s', (_what, bytes, code, field) => {
    let caught: unknown;
    try {
      parseAppManifest(bytes);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(FormatError);
    expect(caught).toMatchObject({ code, field });
  });

  it('gives the documented error for each switch that is not true or false', () => {
    const names = [
      'CertStore',
      'NetworkConfig',
      'ReadNetworkProxyConfig',
      'HardwareAddressConfig',
      'DhcpService',
      'SntpService',
      'TimeSyncConfig',
      'SystemEventNotifications',
      'ResetMemoryWatermarks',
      'HeapMemStats',
      'MemorySnapshot',
    ];
    for (const name of names)
      expect(codeOf(() => parseAppManifest(withCapability({ [name]: 1 })))).toBe(`${name}ParseError`);
  });

  it('throws nothing but its own error for damaged manifests', () => {
    const random = seededRandom(14);
    for (let round = 0; round < 3000; round++) {
      const mutant = mutate(bytesOf(BLINK), random);
      expect(codeOf(() => parseAppManifest(mutant))).toMatch(/^\w+$/);
    }
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(...Object.keys(BLINK)), (value, name) => {
        expect(codeOf(() => parseAppManifest(withField(name, value)))).toMatch(/^\w+$/);
        expect(codeOf(() => parseAppManifest(withCapability(value)))).toMatch(/^\w+$/);
      }),
      { seed: 15, numRuns: 500 },
    );
  });
});

describe('image of an app', () => {
  const program = { path: '/bin/app', bytes: utf8Encode('\0asm'), executable: true };
  const image = (...files: readonly { path: string; bytes: Uint8Array }[]): Uint8Array =>
    writeFileSystem(files);

  it('gives files, manifest and executable', () => {
    const app = parseAppImage(image({ path: '/app_manifest.json', bytes: bytesOf(BLINK) }, program));
    expect(app.manifest.name).toBe('AzureSphereBlinkTest');
    expect(app.executable).toEqual(program.bytes);
    expect(app.files.paths()).toEqual(['/app_manifest.json', '/bin/app']);
  });

  it.each([
    ['no manifest', image(program), 'NoAppManifest'],
    [
      'no executable',
      image({ path: '/app_manifest.json', bytes: bytesOf(BLINK) }),
      'SpecifiedEntryPointDoesNotExist',
    ],
    [
      'a directory for an executable',
      image({ path: '/app_manifest.json', bytes: withField('EntryPoint', '/bin') }, program),
      'SpecifiedEntryPointIsNotAFile',
    ],
  ])('refuses an image with %s', (_what, bytes, code) => {
    expect(codeOf(() => parseAppImage(bytes))).toBe(code);
  });
});
