import { FormatError, type FormatErrorCode } from './errors.ts';
import { type Guid, isGuid } from './guid.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

/** Capabilities that are simply on or off: manifest name, name here, documented error. */
const SWITCHES = {
  wifiConfig: { field: 'WifiConfig', error: 'WifiParseError' },
  enterpriseWifiConfig: { field: 'EnterpriseWifiConfig', error: 'EnterpriseWifiConfigParseError' },
  certStore: { field: 'CertStore', error: 'CertStoreParseError' },
  networkConfig: { field: 'NetworkConfig', error: 'NetworkConfigParseError' },
  readNetworkProxyConfig: { field: 'ReadNetworkProxyConfig', error: 'ReadNetworkProxyConfigParseError' },
  hardwareAddressConfig: { field: 'HardwareAddressConfig', error: 'HardwareAddressConfigParseError' },
  dhcpService: { field: 'DhcpService', error: 'DhcpServiceParseError' },
  sntpService: { field: 'SntpService', error: 'SntpServiceParseError' },
  systemTime: { field: 'SystemTime', error: 'SystemTimeParseError' },
  timeSyncConfig: { field: 'TimeSyncConfig', error: 'TimeSyncConfigParseError' },
  systemEventNotifications: {
    field: 'SystemEventNotifications',
    error: 'SystemEventNotificationsParseError',
  },
  softwareUpdateDeferral: { field: 'SoftwareUpdateDeferral', error: 'SoftwareUpdateDeferralParseError' },
  resetMemoryWatermarks: { field: 'ResetMemoryWatermarks', error: 'ResetMemoryWatermarksParseError' },
  heapMemStats: { field: 'HeapMemStats', error: 'HeapMemStatsParseError' },
  memorySnapshot: { field: 'MemorySnapshot', error: 'MemorySnapshotParseError' },
} as const satisfies Record<string, { field: string; error: FormatErrorCode }>;
type SwitchName = keyof typeof SWITCHES;

/** Capabilities that are lists of peripherals, and the error for a well-formed name that the chip does not have. */
const PERIPHERALS = {
  uart: { field: 'Uart', pattern: /^ISU[0-4]$/, error: 'UartNotAvailable' },
  i2cMaster: { field: 'I2cMaster', pattern: /^ISU[0-4]$/, error: 'UndefinedPeripheralInManifest' },
  spiMaster: { field: 'SpiMaster', pattern: /^ISU[0-4]$/, error: 'UndefinedPeripheralInManifest' },
  adc: { field: 'Adc', pattern: /^ADC-CONTROLLER-0$/, error: 'UndefinedPeripheralInManifest' },
  pwm: { field: 'Pwm', pattern: /^PWM-CONTROLLER-[0-2]$/, error: 'UndefinedPeripheralInManifest' },
  i2sSubordinate: { field: 'I2sSubordinate', pattern: /^I2S[01]$/, error: 'UndefinedPeripheralInManifest' },
  externalInterrupt: {
    field: 'ExternalInterrupt',
    pattern: /^EINT(?:\d|1\d|2[0-3])$/,
    error: 'UndefinedPeripheralInManifest',
  },
} as const satisfies Record<string, { field: string; pattern: RegExp; error: FormatErrorCode }>;
type PeripheralName = keyof typeof PERIPHERALS;

/** Manifest names of all capabilities whose entries may be `$NAME`s of a hardware definition. */
export const PERIPHERAL_CAPABILITIES: readonly string[] = [
  'Gpio',
  ...Object.values(PERIPHERALS).map((row) => row.field),
];

export const POWER_CONTROLS = ['ForceReboot', 'ForcePowerDown', 'SetPowerProfile'] as const;
export type PowerControl = (typeof POWER_CONTROLS)[number];

/** What an app may do beyond computing (azure-sphere.md §4.1). What its manifest does not name is empty, null or false. */
export type AppCapabilities = Readonly<Record<SwitchName, boolean>> &
  Readonly<Record<PeripheralName, readonly string[]>> & {
    /** Host names, IPv4 addresses and DNS-SD names that the app may connect to, in lower case. */
    readonly allowedConnections: readonly string[];
    readonly allowedTcpServerPorts: readonly number[];
    readonly allowedUdpServerPorts: readonly number[];
    /** Component ids of apps on the other cores. */
    readonly allowedApplicationConnections: readonly Guid[];
    /** The tenant whose client certificate the app may use. */
    readonly deviceAuthentication: Guid | null;
    readonly gpio: readonly number[];
    /** Quota of the mutable storage in KiB, at most 64; 0: none. */
    readonly mutableStorageKb: number;
    readonly powerControls: readonly PowerControl[];
  };

/** Largest mutable storage in KiB. */
export const MAX_MUTABLE_STORAGE_KB = 64;
const MAX_LIST = 128;

function refuse(code: FormatErrorCode, field: string, rule: string): never {
  throw new FormatError(code, `Capabilities.${field} is wrong: it must be ${rule}.`, {
    field: `Capabilities.${field}`,
    rule,
  });
}

function readList(json: JsonObject, field: string, error: FormatErrorCode): readonly JsonValue[] {
  const value = json.get(field);
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_LIST)
    refuse(error, field, `an array of at most ${MAX_LIST} entries`);
  return value as readonly JsonValue[];
}

/** A `$NAME` that is still there: the packer should have put the hardware definition's value in its place. */
function refuseUnresolved(value: JsonValue, field: string): void {
  if (typeof value === 'string' && value.startsWith('$')) {
    refuse(
      'UnresolvedHardwareName',
      field,
      `resolved: ${value} is a name of a hardware definition, not a value`,
    );
  }
}

function readSwitch(json: JsonObject, name: SwitchName): boolean {
  const { field, error } = SWITCHES[name];
  const value = json.get(field) ?? false;
  return typeof value === 'boolean' ? value : refuse(error, field, 'true or false');
}

function readPeripherals(json: JsonObject, name: PeripheralName): readonly string[] {
  const { field, pattern, error } = PERIPHERALS[name];
  const names = readList(json, field, 'PeripheralParseError').map((value, index) => {
    const place = `${field}[${index}]`;
    refuseUnresolved(value, place);
    if (typeof value !== 'string') return refuse('PeripheralParseError', place, 'the name of a peripheral');
    return pattern.test(value)
      ? value
      : refuse(error, place, `a peripheral that the chip has (${pattern.source})`);
  });
  if (new Set(names).size !== names.length)
    refuse('RequestedPeripheralsRequireSamePin', field, 'each peripheral once');
  return names;
}

/** An ISU serves as one of UART, I2C and SPI at a time. */
function checkSerialUnits(lists: readonly (readonly string[])[]): void {
  const units = lists.flat();
  const twice = units.find((unit, index) => units.indexOf(unit) !== index);
  if (twice !== undefined) {
    refuse(
      'RequestedPeripheralsRequireSamePin',
      'Uart, I2cMaster, SpiMaster',
      `disjoint: ${twice} is named twice`,
    );
  }
}

/** First pin of each serial unit, in the order clock or TX, data out or RTS or SCL, data in or RX or SDA, select or CTS. */
const UNIT_PINS: Readonly<Record<string, number>> = { ISU0: 26, ISU1: 31, ISU2: 36, ISU3: 66, ISU4: 71 };
const CHANNEL_PINS = { adc: 41, adcCount: 8, pwmCount: 4 } as const;

const pinsFrom = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => first + index);

/** Every pin that capabilities take: GPIOs, and those of peripherals that share them (azure-sphere.md §1.1, §1.2). */
export function pinsOfCapabilities({
  gpio,
  uart,
  i2cMaster,
  spiMaster,
  adc,
  pwm,
}: Pick<AppCapabilities, 'gpio' | 'uart' | 'i2cMaster' | 'spiMaster' | 'adc' | 'pwm'>): readonly number[] {
  const unit = (name: string, skipped: number, count: number): readonly number[] =>
    pinsFrom((UNIT_PINS[name] ?? 0) + skipped, count);
  return [
    ...gpio,
    ...[...uart, ...spiMaster].flatMap((name) => unit(name, 0, 4)),
    ...i2cMaster.flatMap((name) => unit(name, 1, 2)),
    ...adc.flatMap(() => pinsFrom(CHANNEL_PINS.adc, CHANNEL_PINS.adcCount)),
    ...pwm.flatMap((name) => pinsFrom(CHANNEL_PINS.pwmCount * Number(name.slice(-1)), CHANNEL_PINS.pwmCount)),
  ];
}

function readGpios(json: JsonObject): readonly number[] {
  const gpios = readList(json, 'Gpio', 'GpioParseError').map((value, index) => {
    const place = `Gpio[${index}]`;
    refuseUnresolved(value, place);
    if (typeof value !== 'number' || !Number.isInteger(value))
      return refuse('GpioParseError', place, 'an integer');
    const exists = (value >= 0 && value <= 75) || value === 80;
    return exists ? value : refuse('UndefinedGpioInManifest', place, 'a GPIO of the chip: 0 to 75, or 80');
  });
  if (new Set(gpios).size !== gpios.length)
    refuse('RequestedPeripheralsRequireSamePin', 'Gpio', 'each GPIO once');
  return gpios;
}

function readPorts(json: JsonObject, kind: 'Tcp' | 'Udp'): readonly number[] {
  const field = `Allowed${kind}ServerPorts`;
  const ports = readList(json, field, `Allowed${kind}PortsParseError`).map((value, index) => {
    const place = `${field}[${index}]`;
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      return refuse(`Allowed${kind}PortsParseError`, place, 'an integer');
    }
    return value >= 0 && value <= 65535 ? value : refuse(`Illegal${kind}PortsValue`, place, '0 to 65535');
  });
  if (new Set(ports).size !== ports.length)
    refuse('DuplicateTcpUdpPortDetected', field, 'a list of different ports');
  return ports;
}

/** Host names, IPv4 addresses and names such as `_http._tcp.local`: letters, digits, hyphens, underscores, dots. */
const HOST_PATTERN =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*$/;

function readConnections(json: JsonObject): readonly string[] {
  const hosts = readList(json, 'AllowedConnections', 'ConnectionsParseError').map((value, index) =>
    typeof value === 'string' && HOST_PATTERN.test(value)
      ? value.toLowerCase()
      : refuse('ConnectionsParseError', `AllowedConnections[${index}]`, 'a host name or an IPv4 address'),
  );
  return [...new Set(hosts)];
}

function readApplicationConnections(json: JsonObject): readonly Guid[] {
  const error = 'AllowedApplicationConnectionsParseError';
  return readList(json, 'AllowedApplicationConnections', error).map((value, index) => {
    const id = typeof value === 'string' ? value.toLowerCase() : '';
    return isGuid(id)
      ? id
      : refuse(error, `AllowedApplicationConnections[${index}]`, 'a component id (GUID)');
  });
}

function readTenant(json: JsonObject): Guid | null {
  const value = json.get('DeviceAuthentication');
  if (value === undefined) return null;
  if (typeof value !== 'string')
    return refuse('DeviceAuthTenantIdParseError', 'DeviceAuthentication', 'a tenant id (GUID)');
  if (value.length > 36)
    return refuse('DeviceAuthTenantIdTooLong', 'DeviceAuthentication', '36 characters long');
  const id = value.toLowerCase();
  return isGuid(id)
    ? id
    : refuse('DeviceAuthTenantIdParseError', 'DeviceAuthentication', 'a tenant id (GUID)');
}

function readMutableStorage(json: JsonObject): number {
  const value = json.get('MutableStorage');
  if (value === undefined) return 0;
  if (!isJsonObject(value))
    return refuse('NonObjectMutableStorageType', 'MutableStorage', 'an object with SizeKB');
  const size = value.get('SizeKB');
  if (size === undefined)
    return refuse('MutableStorageMissingRequiredField', 'MutableStorage.SizeKB', 'there');
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || value.size > 1) {
    return refuse(
      'ErrorParsingMutableStorageField',
      'MutableStorage',
      'an object with SizeKB, an integer, and nothing else',
    );
  }
  return size <= MAX_MUTABLE_STORAGE_KB
    ? size
    : refuse('MutableStorageRequestTooLarge', 'MutableStorage.SizeKB', `at most ${MAX_MUTABLE_STORAGE_KB}`);
}

function readPowerControls(json: JsonObject): readonly PowerControl[] {
  const field = 'PowerControls';
  if (!json.has(field)) return [];
  const entries = readList(json, field, 'PowerControlsMalformed');
  if (entries.length === 0) refuse('PowerControlsEmpty', field, 'at least one power control');
  const controls = entries.map((value, index) => {
    if (typeof value !== 'string') return refuse('PowerControlsMalformed', `${field}[${index}]`, 'a text');
    const rule = `one of ${POWER_CONTROLS.join(', ')}`;
    return (
      POWER_CONTROLS.find((known) => known === value) ??
      refuse('PowerControlsInvalidEntry', `${field}[${index}]`, rule)
    );
  });
  if (new Set(controls).size !== controls.length)
    refuse('PowerControlsInvalidEntry', field, 'a list of different entries');
  return controls;
}

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...PERIPHERAL_CAPABILITIES,
  ...Object.values(SWITCHES).map((row) => row.field),
  'AllowedConnections',
  'AllowedTcpServerPorts',
  'AllowedUdpServerPorts',
  'AllowedApplicationConnections',
  'DeviceAuthentication',
  'MutableStorage',
  'PowerControls',
]);

/** Keeps the row's own key order and types while mapping a table of names. */
function mapNames<Name extends string, T>(
  table: Readonly<Record<Name, unknown>>,
  read: (name: Name) => T,
): Record<Name, T> {
  const names = Object.keys(table) as Name[];
  return Object.fromEntries(names.map((name) => [name, read(name)])) as Record<Name, T>;
}

/** Reads the `Capabilities` object of a manifest. Unknown capabilities are refused: they may be somebody's one day. */
export function readCapabilities(json: JsonObject): AppCapabilities {
  for (const field of json.keys()) {
    if (!KNOWN_FIELDS.has(field))
      refuse('CustomerRequestedIllegalCapability', field, 'a capability that apps may have');
  }
  const switches = mapNames(SWITCHES, (name) => readSwitch(json, name));
  if (switches.enterpriseWifiConfig && !switches.wifiConfig) {
    refuse('EnterpriseWifiConfigParseError', 'EnterpriseWifiConfig', 'together with WifiConfig');
  }
  if (switches.softwareUpdateDeferral && !switches.systemEventNotifications) {
    refuse(
      'SoftwareUpdateDeferralParseError',
      'SoftwareUpdateDeferral',
      'together with SystemEventNotifications',
    );
  }
  const peripherals = mapNames(PERIPHERALS, (name) => readPeripherals(json, name));
  checkSerialUnits([peripherals.uart, peripherals.i2cMaster, peripherals.spiMaster]);
  const gpio = readGpios(json);
  const pins = pinsOfCapabilities({ ...peripherals, gpio });
  const shared = pins.find((pin, index) => pins.indexOf(pin) !== index);
  if (shared !== undefined)
    refuse('RequestedPeripheralsRequireSamePin', 'Gpio', `free of GPIO ${shared}, which a peripheral takes`);
  return {
    ...switches,
    ...peripherals,
    gpio,
    allowedConnections: readConnections(json),
    allowedTcpServerPorts: readPorts(json, 'Tcp'),
    allowedUdpServerPorts: readPorts(json, 'Udp'),
    allowedApplicationConnections: readApplicationConnections(json),
    deviceAuthentication: readTenant(json),
    mutableStorageKb: readMutableStorage(json),
    powerControls: readPowerControls(json),
  };
}
