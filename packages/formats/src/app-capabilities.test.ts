import { describe, expect, it } from 'vitest';
import { parseAppManifest } from './app-manifest.ts';
import { codeOf, refusalOf } from './testing/strictness.ts';
import { utf8Encode } from './utf8.ts';

const TENANT = '0a0a0a0a-1111-4222-8333-444444444444';

const withCapabilities = (capabilities: unknown): Uint8Array =>
  utf8Encode(
    JSON.stringify({
      SchemaVersion: 1,
      Name: 'blink',
      ComponentId: '2f074b0f-d99d-4692-82d9-ef93a7d6463c',
      EntryPoint: '/bin/app',
      Capabilities: capabilities,
    }),
  );

describe('capabilities of an app', () => {
  it('reads every capability there is', () => {
    const { capabilities } = parseAppManifest(
      withCapabilities({
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
    ['no capabilities', withCapabilities(undefined), 'MissingCapabilitiesList', 'Capabilities'],
    ['capabilities that are a list', withCapabilities([]), 'MissingCapabilitiesList', 'Capabilities'],
    [
      'a capability of the OS alone',
      withCapabilities({ Update: true }),
      'CustomerRequestedIllegalCapability',
      'Capabilities.Update',
    ],
    [
      'a capability in another spelling',
      withCapabilities({ gpio: [8] }),
      'CustomerRequestedIllegalCapability',
      'Capabilities.gpio',
    ],
    [
      'connections that are no list',
      withCapabilities({ AllowedConnections: 'a.example' }),
      'ConnectionsParseError',
      'Capabilities.AllowedConnections',
    ],
    [
      'a connection to a URL',
      withCapabilities({ AllowedConnections: ['https://a.example'] }),
      'ConnectionsParseError',
      'Capabilities.AllowedConnections[0]',
    ],
    [
      'a connection to anybody',
      withCapabilities({ AllowedConnections: ['*'] }),
      'ConnectionsParseError',
      'Capabilities.AllowedConnections[0]',
    ],
    [
      'a connection to nobody',
      withCapabilities({ AllowedConnections: [''] }),
      'ConnectionsParseError',
      'Capabilities.AllowedConnections[0]',
    ],
    [
      'a TCP port that is no number',
      withCapabilities({ AllowedTcpServerPorts: ['80'] }),
      'AllowedTcpPortsParseError',
      'Capabilities.AllowedTcpServerPorts[0]',
    ],
    [
      'a TCP port out of range',
      withCapabilities({ AllowedTcpServerPorts: [65536] }),
      'IllegalTcpPortsValue',
      'Capabilities.AllowedTcpServerPorts[0]',
    ],
    [
      'a TCP port twice',
      withCapabilities({ AllowedTcpServerPorts: [1, 1] }),
      'DuplicateTcpUdpPortDetected',
      'Capabilities.AllowedTcpServerPorts',
    ],
    [
      'a UDP port that is a fraction',
      withCapabilities({ AllowedUdpServerPorts: [1.5] }),
      'AllowedUdpPortsParseError',
      'Capabilities.AllowedUdpServerPorts[0]',
    ],
    [
      'a UDP port below zero',
      withCapabilities({ AllowedUdpServerPorts: [-1] }),
      'IllegalUdpPortsValue',
      'Capabilities.AllowedUdpServerPorts[0]',
    ],
    [
      'a partner that is no GUID',
      withCapabilities({ AllowedApplicationConnections: ['x'] }),
      'AllowedApplicationConnectionsParseError',
      'Capabilities.AllowedApplicationConnections[0]',
    ],
    [
      'a tenant that is no text',
      withCapabilities({ DeviceAuthentication: true }),
      'DeviceAuthTenantIdParseError',
      'Capabilities.DeviceAuthentication',
    ],
    [
      'a tenant that is no GUID',
      withCapabilities({ DeviceAuthentication: 'mine' }),
      'DeviceAuthTenantIdParseError',
      'Capabilities.DeviceAuthentication',
    ],
    [
      'a tenant id that is too long',
      withCapabilities({ DeviceAuthentication: `${TENANT}0` }),
      'DeviceAuthTenantIdTooLong',
      'Capabilities.DeviceAuthentication',
    ],
    ['a GPIO that is a text', withCapabilities({ Gpio: ['8'] }), 'GpioParseError', 'Capabilities.Gpio[0]'],
    ['GPIOs that are no list', withCapabilities({ Gpio: 8 }), 'GpioParseError', 'Capabilities.Gpio'],
    [
      'a GPIO that the chip has not',
      withCapabilities({ Gpio: [76] }),
      'UndefinedGpioInManifest',
      'Capabilities.Gpio[0]',
    ],
    [
      'a GPIO twice',
      withCapabilities({ Gpio: [8, 8] }),
      'RequestedPeripheralsRequireSamePin',
      'Capabilities.Gpio',
    ],
    [
      'a name of a hardware definition',
      withCapabilities({ Gpio: ['$LED'] }),
      'UnresolvedHardwareName',
      'Capabilities.Gpio[0]',
    ],
    [
      'a UART that the chip has not',
      withCapabilities({ Uart: ['ISU5'] }),
      'UartNotAvailable',
      'Capabilities.Uart[0]',
    ],
    [
      'a UART that is a number',
      withCapabilities({ Uart: [4] }),
      'PeripheralParseError',
      'Capabilities.Uart[0]',
    ],
    [
      'an ADC that the chip has not',
      withCapabilities({ Adc: ['ADC-CONTROLLER-1'] }),
      'UndefinedPeripheralInManifest',
      'Capabilities.Adc[0]',
    ],
    ['a PWM channel', withCapabilities({ Pwm: [0] }), 'PeripheralParseError', 'Capabilities.Pwm[0]'],
    [
      'one ISU as UART and as I2C',
      withCapabilities({ Uart: ['ISU0'], I2cMaster: ['ISU0'] }),
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
      withCapabilities(capabilities),
      'RequestedPeripheralsRequireSamePin',
      'Capabilities.Gpio',
    ]),
    [
      'mutable storage as a number',
      withCapabilities({ MutableStorage: 8 }),
      'NonObjectMutableStorageType',
      'Capabilities.MutableStorage',
    ],
    [
      'mutable storage of no size',
      withCapabilities({ MutableStorage: {} }),
      'MutableStorageMissingRequiredField',
      'Capabilities.MutableStorage.SizeKB',
    ],
    [
      'mutable storage of a negative size',
      withCapabilities({ MutableStorage: { SizeKB: -1 } }),
      'ErrorParsingMutableStorageField',
      'Capabilities.MutableStorage',
    ],
    [
      'mutable storage with more fields',
      withCapabilities({ MutableStorage: { SizeKB: 1, Path: '/' } }),
      'ErrorParsingMutableStorageField',
      'Capabilities.MutableStorage',
    ],
    [
      'more mutable storage than there may be',
      withCapabilities({ MutableStorage: { SizeKB: 65 } }),
      'MutableStorageRequestTooLarge',
      'Capabilities.MutableStorage.SizeKB',
    ],
    [
      'a switch that is a text',
      withCapabilities({ WifiConfig: 'true' }),
      'WifiParseError',
      'Capabilities.WifiConfig',
    ],
    [
      'a switch that is null',
      withCapabilities({ SystemTime: 0 }),
      'SystemTimeParseError',
      'Capabilities.SystemTime',
    ],
    [
      'enterprise Wi-Fi alone',
      withCapabilities({ EnterpriseWifiConfig: true }),
      'EnterpriseWifiConfigParseError',
      'Capabilities.EnterpriseWifiConfig',
    ],
    [
      'deferral without notifications',
      withCapabilities({ SoftwareUpdateDeferral: true }),
      'SoftwareUpdateDeferralParseError',
      'Capabilities.SoftwareUpdateDeferral',
    ],
    [
      'power controls that are no list',
      withCapabilities({ PowerControls: 'ForceReboot' }),
      'PowerControlsMalformed',
      'Capabilities.PowerControls',
    ],
    [
      'no power control in the list',
      withCapabilities({ PowerControls: [] }),
      'PowerControlsEmpty',
      'Capabilities.PowerControls',
    ],
    [
      'an unknown power control',
      withCapabilities({ PowerControls: ['Hibernate'] }),
      'PowerControlsInvalidEntry',
      'Capabilities.PowerControls[0]',
    ],
  ])('refuses %s', (_what, bytes, code, field) => {
    expect(refusalOf(() => parseAppManifest(bytes))).toMatchObject({ code, field });
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
      expect(codeOf(() => parseAppManifest(withCapabilities({ [name]: 1 })))).toBe(`${name}ParseError`);
  });
});
