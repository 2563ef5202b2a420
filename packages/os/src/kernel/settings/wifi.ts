import { equalBytes, isBytes, toProblem, type Clock, type Port, type PortValue } from '@sevenfold/formats';
import { KernelError } from '../errors.ts';
import type { Certificates } from './certificates.ts';
import { FieldReader, FieldWriter } from './fields.ts';

/** Limits of azure-sphere.md §4.4, applibs/wificonfig.h. */
const LONGEST_SSID = 32;
const LONGEST_KEY = 64;
const LEAST_KEY = 8;
const LONGEST_NAME = 16;
const LONGEST_IDENTITY = 254;
const MOST_NETWORKS = 37;
/** `WifiConfig_Security`. */
const SECURITY = { unknown: 0, open: 1, psk: 2, eap: 3 } as const;
const SECURITY_NAMES = ['open', 'wpa2-psk', 'wpa2-eap'] as const;
/** Attributes of the generic setter and getter. */
const ATTRIBUTE = {
  ssid: 0,
  security: 1,
  enabled: 2,
  key: 5,
  identity: 6,
  clientCertificate: 7,
  rootCertificate: 8,
  targetedScan: 11,
  name: 12,
} as const;
/** Diagnostics: why a network was not joined, and what was wrong with a certificate. */
const FAILURE: Readonly<Record<string, number>> = {
  RadioNoSuchNetwork: 2,
  RadioWrongKey: 4,
  RadioNotAuthenticated: 5,
  RadioServerNotTrusted: 5,
  RadioClientRefused: 5,
  RadioOtherSecurity: 6,
};
const CONNECTION_FAILED = 1;
const NOT_AUTHENTICATED = 5;
const CERTIFICATE_NOT_FOUND = 100;
/** What is wrong with a certificate of EAP-TLS: the server's root, the client's own, who the client says it is. */
const CERTIFICATE_ERROR: Readonly<Record<string, number>> = {
  RadioServerNotTrusted: 101,
  RadioClientRefused: 102,
  RadioNotAuthenticated: 103,
};

interface Diagnostics {
  readonly error: number;
  readonly certificateError: number;
  /** Seconds since 1970. */
  readonly time: number;
}

interface Network {
  readonly id: number;
  ssid: Uint8Array;
  security: number;
  key: string;
  isEnabled: boolean;
  isTargeted: boolean;
  name: string;
  identity: string;
  clientCertificate: string;
  rootCertificate: string;
  diagnostics: Diagnostics | null;
}

/** A network that the radio hears. */
interface Heard {
  readonly ssid: Uint8Array;
  readonly bssid: Uint8Array;
  readonly security: number;
  /** MHz. */
  readonly frequency: number;
  /** dBm. */
  readonly signal: number;
}

/** What an app that asks may do. */
export interface WifiRights {
  readonly isEnterprise: boolean;
}

function readHeard(value: PortValue): Heard {
  const fields =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !isBytes(value)
      ? // A record of a port: what is neither null, an array nor bytes.
        (value as { readonly [key: string]: PortValue })
      : {};
  const { ssid, bssid, security, frequency, signal } = fields;
  if (!isBytes(ssid) || !isBytes(bssid) || typeof frequency !== 'number' || typeof signal !== 'number')
    throw new KernelError('BadReply', 'The radio gave no network.');
  const index = SECURITY_NAMES.findIndex((name) => name === security);
  return { ssid, bssid, security: index + 1, frequency, signal };
}

/** Stored networks and the one that is joined. Changes are volatile until they are persisted. */
export class Wifi {
  readonly #hardware: Port;
  readonly #clock: Clock;
  readonly #certificates: Certificates;
  #networks: Network[] = [];
  #persisted: Uint8Array = new FieldWriter().number(0).finish();
  #joined: { readonly id: number; readonly heard: Heard } | null = null;
  #scanned: readonly Heard[] = [];
  #nextId = 0;
  #isPowerSaving = false;
  #work: Promise<void> = Promise.resolve();

  constructor(hardware: Port, clock: Clock, certificates: Certificates) {
    this.#hardware = hardware;
    this.#clock = clock;
    this.#certificates = certificates;
  }

  get isConnected(): boolean {
    return this.#joined !== null;
  }

  add(): number {
    return this.#insert({}).id;
  }

  duplicate(reader: FieldReader): number {
    const source = this.#find(reader);
    const name = this.#newName(reader);
    return this.#insert({ ...source, name, isEnabled: false }).id;
  }

  #insert(from: Partial<Network>): Network {
    if (this.#networks.length >= MOST_NETWORKS)
      throw new KernelError('OutOfMemory', 'There are as many networks as the device keeps.', {
        rule: `at most ${MOST_NETWORKS}`,
      });
    const network: Network = {
      ssid: new Uint8Array(0),
      security: SECURITY.unknown,
      key: '',
      isEnabled: false,
      isTargeted: false,
      name: '',
      identity: '',
      clientCertificate: '',
      rootCertificate: '',
      ...from,
      id: this.#nextId,
      diagnostics: null,
    };
    this.#nextId += 1;
    this.#networks.push(network);
    return network;
  }

  /** Steps in order: a network there is; the right for its kind of setting; a value within its limits. */
  set(reader: FieldReader, rights: WifiRights): Promise<void> | void {
    const network = this.#find(reader);
    const attribute = reader.number();
    const needsEnterprise =
      attribute === ATTRIBUTE.identity ||
      attribute === ATTRIBUTE.clientCertificate ||
      attribute === ATTRIBUTE.rootCertificate;
    if (needsEnterprise) requireEnterprise(rights);
    switch (attribute) {
      case ATTRIBUTE.ssid: {
        const ssid = reader.bytes(LONGEST_SSID);
        if (ssid.length === 0) throw new KernelError('OutOfBounds', 'An SSID has 1 to 32 bytes.');
        network.ssid = ssid;
        return;
      }
      case ATTRIBUTE.security: {
        const security = new FieldReader(reader.bytes(4)).number();
        if (security < SECURITY.open || security > SECURITY.eap)
          throw new KernelError('BadSetting', 'There is no such security.');
        if (security === SECURITY.eap) requireEnterprise(rights);
        network.security = security;
        return;
      }
      case ATTRIBUTE.key: {
        const key = reader.text(LONGEST_KEY);
        if (key.length < LEAST_KEY || (key.length === LONGEST_KEY && !/^[0-9A-Fa-f]+$/.test(key)))
          throw new KernelError('OutOfBounds', 'A key has 8 to 63 characters, or 64 hexadecimal digits.');
        network.key = key;
        return;
      }
      case ATTRIBUTE.enabled:
        network.isEnabled = new FieldReader(reader.bytes(4)).flag();
        return this.#settle();
      case ATTRIBUTE.targetedScan:
        network.isTargeted = new FieldReader(reader.bytes(4)).flag();
        return;
      case ATTRIBUTE.name:
        network.name = this.#newName(reader);
        return;
      case ATTRIBUTE.identity:
        network.identity = reader.text(LONGEST_IDENTITY);
        return;
      case ATTRIBUTE.clientCertificate:
        network.clientCertificate = reader.text(LONGEST_NAME);
        return;
      case ATTRIBUTE.rootCertificate:
        network.rootCertificate = reader.text(LONGEST_NAME);
        return;
      default:
        throw new KernelError('BadSetting', 'There is no such attribute.');
    }
  }

  /** EAP settings only: keys go in and never come out. */
  get(reader: FieldReader, rights: WifiRights): string {
    const network = this.#find(reader);
    const attribute = reader.number();
    requireEnterprise(rights);
    if (attribute === ATTRIBUTE.identity) return network.identity;
    if (attribute === ATTRIBUTE.clientCertificate) return network.clientCertificate;
    if (attribute === ATTRIBUTE.rootCertificate) return network.rootCertificate;
    throw new KernelError('BadSetting', 'There is no such attribute to read.');
  }

  /** From now on what there is outlives a restart. Every network must have an SSID. */
  persist(): void {
    if (this.#networks.some(({ ssid }) => ssid.length === 0))
      throw new KernelError('BadSetting', 'A network without an SSID cannot be kept.');
    const writer = new FieldWriter();
    this.#write(writer);
    this.#persisted = writer.finish();
  }

  /** Drops what is not persisted, and joins anew with the certificates of now. */
  reload(): Promise<void> {
    const before = this.#networks;
    this.#networks = [];
    this.#read(new FieldReader(this.#persisted));
    for (const network of this.#networks) {
      const same = before.find(
        (other) => equalBytes(other.ssid, network.ssid) && other.name === network.name,
      );
      network.diagnostics = same?.diagnostics ?? null;
    }
    this.#joined = null;
    return this.#settle();
  }

  forget(reader: FieldReader): Promise<void> {
    const { id } = this.#find(reader);
    this.#networks = this.#networks.filter((network) => network.id !== id);
    return this.#settle();
  }

  /** The one with this name and security, at once and for good. */
  forgetStored(reader: FieldReader): Promise<void> {
    const ssid = reader.bytes(LONGEST_SSID);
    const security = reader.number();
    const found = this.#networks.find((other) => equalBytes(other.ssid, ssid) && other.security === security);
    if (found === undefined) throw new KernelError('NoSuchDevice', 'There is no such network.');
    this.#networks = this.#networks.filter((other) => other !== found);
    this.persist();
    return this.#settle();
  }

  forgetAll(): Promise<void> {
    this.#networks = [];
    this.persist();
    return this.#settle();
  }

  stored(writer: FieldWriter): void {
    writer.number(this.#networks.length);
    for (const { id, ssid, isEnabled, security } of this.#networks)
      writer
        .bytes(ssid)
        .flag(isEnabled)
        .flag(this.#joined?.id === id)
        .number(security);
  }

  /** The network that is joined, and its id. */
  current(writer: FieldWriter): void {
    if (this.#joined === null) throw new KernelError('NotConnected', 'No network is joined.');
    writer.number(this.#joined.id);
    writeHeard(this.#joined.heard, writer);
  }

  /** Listens, and gives what it heard; `isAnew` false: what it heard the last time. */
  async scan(reader: FieldReader, writer: FieldWriter): Promise<void> {
    if (reader.flag()) this.#scanned = await this.#listen();
    writer.number(this.#scanned.length);
    for (const heard of this.#scanned) writeHeard(heard, writer);
  }

  diagnostics(reader: FieldReader, writer: FieldWriter): void {
    const network = this.#find(reader);
    const { diagnostics, isEnabled, rootCertificate } = network;
    if (diagnostics === null)
      throw new KernelError('NoSuchDevice', 'No failure was recorded for this network.');
    writer
      .flag(isEnabled)
      .flag(this.#joined?.id === network.id)
      .number(diagnostics.error);
    writer.seconds(diagnostics.time).number(diagnostics.certificateError).text(rootCertificate);
  }

  byName(reader: FieldReader): number {
    const name = reader.text(LONGEST_NAME);
    const found = this.#networks.find((network) => network.name === name && name !== '');
    if (found === undefined) throw new KernelError('NoSuchDevice', 'No network has this name.');
    return found.id;
  }

  setPowerSaving(reader: FieldReader): void {
    this.#isPowerSaving = reader.flag();
  }

  save(writer: FieldWriter): void {
    writer.bytes(this.#persisted).flag(this.#isPowerSaving);
  }

  /** What was persisted before; joins in the background. */
  load(reader: FieldReader): void {
    this.#persisted = reader.bytes(65_536);
    this.#isPowerSaving = reader.flag();
    void this.reload();
  }

  #write(writer: FieldWriter): void {
    writer.number(this.#networks.length);
    for (const network of this.#networks) {
      writer.bytes(network.ssid).number(network.security).text(network.key).flag(network.isEnabled);
      writer.flag(network.isTargeted).text(network.name).text(network.identity);
      writer.text(network.clientCertificate).text(network.rootCertificate);
    }
  }

  #read(reader: FieldReader): void {
    const count = reader.number(MOST_NETWORKS);
    for (let index = 0; index < count; index += 1) {
      this.#insert({
        ssid: reader.bytes(LONGEST_SSID),
        security: reader.number(SECURITY.eap),
        key: reader.text(LONGEST_KEY),
        isEnabled: reader.flag(),
        isTargeted: reader.flag(),
        name: reader.text(LONGEST_NAME),
        identity: reader.text(LONGEST_IDENTITY),
        clientCertificate: reader.text(LONGEST_NAME),
        rootCertificate: reader.text(LONGEST_NAME),
      });
    }
  }

  #find(reader: FieldReader): Network {
    const id = reader.number();
    const found = this.#networks.find((network) => network.id === id);
    if (found === undefined) throw new KernelError('NoSuchDevice', `There is no network ${id}.`);
    return found;
  }

  #newName(reader: FieldReader): string {
    const text = reader.text(LONGEST_NAME);
    if (text === '' || this.#networks.some((network) => network.name === text))
      throw new KernelError('AlreadyThere', 'Another network has this name.');
    return text;
  }

  async #listen(): Promise<readonly Heard[]> {
    const targets = this.#networks.filter(({ isTargeted }) => isTargeted).map(({ ssid }) => ssid);
    const found = await this.#hardware.call('radioScan', targets);
    return Array.isArray(found) ? found.map(readHeard) : [];
  }

  /** Joins the best network that is enabled, or leaves the one that is not any more. One at a time. */
  #settle(): Promise<void> {
    this.#work = this.#work.then(() => this.#join()).catch(() => undefined);
    return this.#work;
  }

  async #join(): Promise<void> {
    const joined = this.#joined;
    if (joined !== null && this.#networks.some(({ id, isEnabled }) => id === joined.id && isEnabled)) return;
    this.#joined = null;
    await this.#hardware.call('radioLeave');
    const heard = [...(await this.#listen())].sort((a, b) => b.signal - a.signal);
    for (const network of this.#networks) {
      if (!network.isEnabled || network.ssid.length === 0) continue;
      const target = heard.find(({ ssid }) => equalBytes(ssid, network.ssid));
      if (await this.#tryToJoin(network, target)) return;
    }
  }

  /** The client's certificate and key, and the root for the server, if one is named; null: one is not there. */
  #eapCertificates({ clientCertificate, rootCertificate }: Network): typeof NO_CERTIFICATES | null {
    const hasRoot = rootCertificate === '' || this.#certificates.has(rootCertificate, 'root');
    if (!hasRoot || !this.#certificates.has(clientCertificate, 'client')) return null;
    const { certificate, key, password } = this.#certificates.find(clientCertificate);
    const root = rootCertificate === '' ? '' : this.#certificates.find(rootCertificate).certificate;
    return { certificate, key, password, root };
  }

  async #tryToJoin(network: Network, target: Heard | undefined): Promise<boolean> {
    const fail = (error: number, certificateError = 0): false => {
      network.diagnostics = { error, certificateError, time: Math.floor(this.#clock.now() / 1000) };
      return false;
    };
    if (target === undefined) return fail(FAILURE['RadioNoSuchNetwork'] ?? CONNECTION_FAILED);
    const certificates = network.security === SECURITY.eap ? this.#eapCertificates(network) : NO_CERTIFICATES;
    if (certificates === null) return fail(NOT_AUTHENTICATED, CERTIFICATE_NOT_FOUND);
    try {
      await this.#hardware.call('radioJoin', {
        ssid: network.ssid,
        security: SECURITY_NAMES[network.security - 1] ?? 'open',
        key: network.key,
        identity: network.identity,
        certificates,
      });
    } catch (error) {
      const { code } = toProblem(error);
      const isOfCertificate = network.security === SECURITY.eap;
      return fail(FAILURE[code] ?? CONNECTION_FAILED, isOfCertificate ? (CERTIFICATE_ERROR[code] ?? 0) : 0);
    }
    this.#joined = { id: network.id, heard: target };
    return true;
  }
}

const NO_CERTIFICATES = { certificate: '', key: '', password: '', root: '' };

function requireEnterprise({ isEnterprise }: WifiRights): void {
  if (!isEnterprise)
    throw new KernelError('AccessDenied', 'The manifest does not name EnterpriseWifiConfig.', {
      field: 'Capabilities.EnterpriseWifiConfig',
    });
}

function writeHeard({ ssid, bssid, security, frequency, signal }: Heard, writer: FieldWriter): void {
  writer.bytes(ssid).bytes(bssid).number(security).number(frequency).number(signal);
}
