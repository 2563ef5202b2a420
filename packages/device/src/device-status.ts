import { isBytes, type PortValue } from '@sevenfold/formats';
import { DeviceError } from './errors.ts';

/** One image of the device, as the Security Monitor lists it. */
export interface DeviceImage {
  readonly imageType: number;
  readonly slot: string;
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
  /** SHA-256 of the whole package. */
  readonly digest: Uint8Array;
  readonly size: number;
  readonly securityVersion: number;
  /** `active`, `backup` or `staged`. */
  readonly state: string;
}

/** One app of the device. */
export interface DeviceApp {
  readonly componentId: string;
  readonly imageId: string;
  readonly name: string;
  /** `running`, `backoff` or `stopped`. */
  readonly state: string;
  readonly restarts: number;
  /** Milliseconds. */
  readonly uptime: number;
  /** Milliseconds of processor time; null where the board does not count it for this app alone. */
  readonly cpuTime: number | null;
}

/** The device's state, as its gateway tells it. */
export interface DeviceStatus {
  readonly deviceId: string;
  readonly osVersion: string;
  readonly verdict: string | null;
  readonly reasons: readonly string[];
  readonly tenantId: string | null;
  /** DER, leaf first; empty: there is none. */
  readonly clientChain: readonly Uint8Array[];
  readonly updateChain: readonly Uint8Array[];
  /** Milliseconds since 1970. */
  readonly nextCheck: number;
  readonly images: readonly DeviceImage[];
  readonly apps: readonly DeviceApp[];
  readonly queuedReports: number;
  /** What the device is unlocked for. */
  readonly capabilities: readonly string[];
  readonly lastError: string | null;
  /** `starting`, `attesting`, `updating`, `idle` or `offline`. */
  readonly phase: string;
}

type Fields = Readonly<Record<string, unknown>>;

function bad(field: string): never {
  throw new DeviceError('StatusUnreadable', `The device's status cannot be read at ${field}.`, { field });
}

function fieldsOf(value: unknown, field: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad(field);
  return Object.fromEntries(Object.entries(value));
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : bad(name);
}

function optionalText(fields: Fields, name: string): string | null {
  return fields[name] === null ? null : text(fields, name);
}

function number(fields: Fields, name: string): number {
  const value = fields[name];
  return typeof value === 'number' ? value : bad(name);
}

function list<T>(fields: Fields, name: string, read: (item: unknown) => T): readonly T[] {
  const value = fields[name];
  return Array.isArray(value) ? value.map((item: unknown) => read(item)) : bad(name);
}

function readImage(value: unknown): DeviceImage {
  const fields = fieldsOf(value, 'images');
  const digest = fields['digest'];
  return {
    imageType: number(fields, 'imageType'),
    slot: String(fields['slot']),
    imageId: text(fields, 'imageId'),
    componentId: text(fields, 'componentId'),
    name: text(fields, 'name'),
    digest: isBytes(digest) ? digest : bad('images.digest'),
    size: number(fields, 'size'),
    securityVersion: number(fields, 'securityVersion'),
    state: text(fields, 'state'),
  };
}

function readApp(value: unknown): DeviceApp {
  const fields = fieldsOf(value, 'apps');
  return {
    componentId: text(fields, 'componentId'),
    imageId: text(fields, 'imageId'),
    name: text(fields, 'name'),
    state: text(fields, 'state'),
    restarts: number(fields, 'restarts'),
    uptime: number(fields, 'uptime'),
    cpuTime: fields['cpuTime'] === null ? null : number(fields, 'cpuTime'),
  };
}

/** Reads what the gateway's `status` and `checkNow` answer. Throws `StatusUnreadable`. */
export function readDeviceStatus(value: PortValue): DeviceStatus {
  const fields = fieldsOf(value, 'status');
  const chain = (item: unknown): Uint8Array => (isBytes(item) ? item : bad('chain'));
  return {
    deviceId: text(fields, 'deviceId'),
    osVersion: text(fields, 'osVersion'),
    verdict: optionalText(fields, 'verdict'),
    reasons: list(fields, 'reasons', (item) => (typeof item === 'string' ? item : bad('reasons'))),
    tenantId: optionalText(fields, 'tenantId'),
    clientChain: list(fields, 'clientChain', chain),
    updateChain: list(fields, 'updateChain', chain),
    nextCheck: number(fields, 'nextCheck'),
    images: list(fields, 'images', readImage),
    apps: list(fields, 'apps', readApp),
    queuedReports: number(fields, 'queuedReports'),
    capabilities: list(fields, 'capabilities', String),
    lastError: optionalText(fields, 'lastError'),
    phase: text(fields, 'phase'),
  };
}
