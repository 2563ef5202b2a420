import type { Clock, Port } from '@sevenfold/formats';
import { KernelError } from '../errors.ts';
import type { FieldReader, FieldWriter } from './fields.ts';
import { ProxySettings } from './proxy.ts';
import { querySntp, type SntpAnswer } from './sntp-client.ts';

/** Interfaces of a device, constant within a boot: name, and `Networking_InterfaceMedium`. */
const INTERFACES = [
  { name: 'wlan0', medium: 1 },
  { name: 'eth0', medium: 2 },
  { name: 'azspheresvc', medium: 0 },
] as const;
/** The attached PC's: not the app's to change. */
const SERVICE = 'azspheresvc';
/** `Networking_InterfaceConnectionStatus`. */
const STATUS = { up: 1, connected: 2, address: 4, internet: 8 } as const;
const LONGEST_NAME = 64;
const LONGEST_HOST = 255;
const MOST_SERVERS = 3;
/** The time server of devices whose app chose none. */
const DEFAULT_TIME_SERVER = 'time.sevenfold.invalid';
const MODES = ['default', 'automatic', 'custom'] as const;
const HOST = /^[A-Za-z0-9.-]*$/;

interface Addresses {
  readonly isStatic: boolean;
  readonly address: number;
  readonly mask: number;
  readonly gateway: number;
  readonly isDnsAutomatic: boolean;
  readonly servers: readonly number[];
}

interface InterfaceState {
  isEnabled: boolean;
  /** Null: the one it was made with. */
  hardwareAddress: Uint8Array | null;
  addresses: Addresses;
  isReleased: boolean;
  /** Leads to a private network, and not into the world. */
  isPrivate: boolean;
  /** What a DHCP server gave; null: nothing. */
  lease: { readonly address: number; readonly mask: number } | null;
}

const NO_LEASE = { address: 0, mask: 0 };
const DYNAMIC: Addresses = {
  isStatic: false,
  address: 0,
  mask: 0,
  gateway: 0,
  isDnsAutomatic: true,
  servers: [],
};

/** What networking stands on. */
export interface NetworkingHost {
  readonly hardware: Port;
  readonly clock: Clock;
  readonly deviceId: string;
  /** Whether the radio has joined a network. */
  readonly isWifiConnected: () => boolean;
}

/** Interfaces, time servers, proxy and the services of a private network (applibs/networking.h). */
export class Networking {
  readonly #host: NetworkingHost;
  readonly #interfaces = new Map<string, InterfaceState>();
  #isTimeSynced = true;
  #mode: (typeof MODES)[number] = 'default';
  #timeServers: readonly string[] = [];
  #hasFallback = true;
  #lastSync: SntpAnswer | null = null;
  readonly proxy = new ProxySettings();

  constructor(host: NetworkingHost) {
    this.#host = host;
    for (const { name } of INTERFACES) {
      const addresses = DYNAMIC;
      this.#interfaces.set(name, {
        isEnabled: true,
        hardwareAddress: null,
        addresses,
        isReleased: false,
        isPrivate: false,
        lease: null,
      });
    }
  }

  /** Whether anything reaches the world. */
  get isReady(): boolean {
    return INTERFACES.some(({ name }) => (this.#statusOf(name) & STATUS.internet) !== 0);
  }

  list(writer: FieldWriter): void {
    writer.number(INTERFACES.length);
    for (const { name, medium } of INTERFACES) {
      const { isEnabled, addresses } = this.#find(name);
      writer.flag(isEnabled).text(name).flag(!addresses.isStatic).number(medium);
    }
  }

  /** Down: the board ends what is open over it, and carries nothing more. */
  async enable(reader: FieldReader): Promise<void> {
    const name = this.#owned(reader);
    this.#find(name).isEnabled = reader.flag();
    await this.#tellBoard(name);
  }

  /** Brings the board's interfaces into the state that was kept. */
  async begin(): Promise<void> {
    for (const { name } of INTERFACES) if (name !== SERVICE) await this.#tellBoard(name);
  }

  async #tellBoard(name: string): Promise<void> {
    const state = this.#find(name);
    const { isEnabled, addresses } = state;
    const { address, mask } = addresses.isStatic ? addresses : (state.lease ?? NO_LEASE);
    const answer = await this.#host.hardware.call('linkSet', name, isEnabled, address, mask);
    state.isPrivate =
      typeof answer === 'object' && answer !== null && Reflect.get(answer, 'leadsTo') === 'wire';
  }

  status(reader: FieldReader): number {
    return this.#statusOf(reader.text(LONGEST_NAME));
  }

  #statusOf(name: string): number {
    const { isEnabled, addresses, isReleased, isPrivate, lease } = this.#find(name);
    if (!isEnabled) return 0;
    if (name === SERVICE) return STATUS.up | STATUS.connected | STATUS.address;
    if (name === 'wlan0' && !this.#host.isWifiConnected()) return STATUS.up;
    // On a private network somebody has to give one; the machine's own network has one for every board.
    const hasAddress = addresses.isStatic || (isPrivate ? lease !== null : !isReleased);
    const reaches = isPrivate ? STATUS.address : STATUS.address | STATUS.internet;
    return STATUS.up | STATUS.connected | (hasAddress ? reaches : 0);
  }

  hardwareAddress(reader: FieldReader): Uint8Array {
    const name = this.#owned(reader);
    const { hardwareAddress } = this.#find(name);
    if (hardwareAddress !== null) return hardwareAddress;
    // Locally administered, and the device's own: two devices on one wire do not meet as one.
    const from = name === 'wlan0' ? 0 : 10;
    const digits = this.#host.deviceId.slice(from, from + 10);
    return Uint8Array.from([0x02, ...(digits.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))]);
  }

  setHardwareAddress(reader: FieldReader): void {
    const name = this.#owned(reader);
    const address = reader.bytes(LONGEST_HOST);
    if (name === 'wlan0') throw new KernelError('NotPermitted', 'A radio’s address is its maker’s.');
    if (address.length !== 6) throw new KernelError('OutOfBounds', 'A hardware address has 6 bytes.');
    if (((address[0] ?? 0) & 1) === 1 || address.every((byte) => byte === 0))
      throw new KernelError('BadSetting', 'A hardware address is neither zero nor a group’s.');
    this.#find(name).hardwareAddress = address;
  }

  async applyAddresses(reader: FieldReader): Promise<void> {
    const name = this.#owned(reader);
    const state = this.#find(name);
    state.addresses = readAddresses(reader);
    state.isReleased = false;
    await this.#tellBoard(name);
  }

  release(reader: FieldReader): void {
    this.#dynamic(reader).isReleased = true;
  }

  renew(reader: FieldReader): void {
    this.#dynamic(reader).isReleased = false;
  }

  get isTimeSynced(): boolean {
    return this.#isTimeSynced;
  }

  setTimeSynced(reader: FieldReader): void {
    this.#isTimeSynced = reader.flag();
    this.#synchronise();
  }

  /** Which servers tell the time; they are asked at once. */
  setTimeServers(reader: FieldReader): void {
    const mode = MODES[reader.number(MODES.length - 1)] ?? 'default';
    const hasFallback = reader.flag();
    const servers = [reader.text(LONGEST_HOST), reader.text(LONGEST_HOST)].filter((name) => name !== '');
    if (mode === 'custom' && servers.length === 0)
      throw new KernelError('BadSetting', 'No time server is named.');
    if (!servers.every((name) => HOST.test(name)))
      throw new KernelError('BadSetting', 'A time server is a host name or an IPv4 address.');
    this.#mode = mode;
    this.#hasFallback = hasFallback;
    this.#timeServers = servers;
    this.#synchronise();
  }

  lastSync(writer: FieldWriter): void {
    if (this.#lastSync === null) throw new KernelError('NoSuchFile', 'The time was never synchronised.');
    const { server, before, time } = this.#lastSync;
    writer
      .text(server)
      .seconds(Math.floor(before / 1000))
      .seconds(Math.floor(time / 1000));
  }

  #synchronise(): void {
    if (!this.#isTimeSynced) return;
    const chosen = this.#mode === 'custom' ? this.#timeServers : [];
    const servers = this.#mode === 'default' || this.#hasFallback ? [...chosen, DEFAULT_TIME_SERVER] : chosen;
    const generation = (this.#generation += 1);
    const { hardware, clock } = this.#host;
    void querySntp(hardware, clock, servers).then(async (answer) => {
      if (answer === null || generation !== this.#generation) return;
      this.#lastSync = answer;
      await hardware.call('setTime', Math.round(answer.time));
    });
  }

  #generation = 0;

  /** Serves time on a private network. */
  startTimeServer(reader: FieldReader): void {
    this.#owned(reader);
  }

  /** Gives one address away on a private network, whose interface has an address of its own. */
  startAddressServer(reader: FieldReader): void {
    const name = this.#owned(reader);
    const [start, count, mask] = [reader.number(), reader.number(), reader.number()];
    reader.number();
    reader.number();
    const servers = reader.number(MOST_SERVERS);
    for (let index = 0; index < servers; index += 1) reader.number();
    const { addresses } = this.#find(name);
    if (!addresses.isStatic)
      throw new KernelError('NotPermitted', 'The interface has no address of its own.');
    if (count !== 1 || start === 0 || mask === 0 || ((start ^ addresses.address) & mask) !== 0)
      throw new KernelError('BadSetting', 'The lease is no address of this network.');
  }

  save(writer: FieldWriter): void {
    for (const { name } of INTERFACES) {
      const { isEnabled, hardwareAddress, addresses } = this.#find(name);
      writer.flag(isEnabled).bytes(hardwareAddress ?? new Uint8Array(0));
      const { isStatic, address, mask, gateway, isDnsAutomatic, servers } = addresses;
      writer.flag(isStatic).number(address).number(mask).number(gateway).flag(isDnsAutomatic);
      writer.number(servers.length);
      for (const server of servers) writer.number(server);
    }
    writer.flag(this.#isTimeSynced).number(MODES.indexOf(this.#mode)).flag(this.#hasFallback);
    writer.text(this.#timeServers[0] ?? '').text(this.#timeServers[1] ?? '');
    this.proxy.save(writer);
  }

  load(reader: FieldReader): void {
    for (const { name } of INTERFACES) {
      const state = this.#find(name);
      state.isEnabled = reader.flag();
      const address = reader.bytes(6);
      state.hardwareAddress = address.length === 0 ? null : address;
      state.addresses = readAddresses(reader);
    }
    this.#isTimeSynced = reader.flag();
    this.#mode = MODES[reader.number(MODES.length - 1)] ?? 'default';
    this.#hasFallback = reader.flag();
    this.#timeServers = [reader.text(LONGEST_HOST), reader.text(LONGEST_HOST)].filter((name) => name !== '');
    this.proxy.load(reader);
  }

  #find(name: string): InterfaceState {
    const found = this.#interfaces.get(name);
    if (found === undefined) throw new KernelError('NoSuchFile', `There is no interface ${name}.`);
    return found;
  }

  /** The name of an interface that apps may change. */
  #owned(reader: FieldReader): string {
    const name = reader.text(LONGEST_NAME);
    this.#find(name);
    if (name === SERVICE) throw new KernelError('NotPermitted', `${name} is not the app’s to change.`);
    return name;
  }

  #dynamic(reader: FieldReader): InterfaceState {
    const state = this.#find(this.#owned(reader));
    if (state.addresses.isStatic)
      throw new KernelError('NotPermitted', 'The interface has a static address.');
    return state;
  }
}

function readAddresses(reader: FieldReader): Addresses {
  const isStatic = reader.flag();
  const [address, mask, gateway] = [reader.number(), reader.number(), reader.number()];
  const isDnsAutomatic = reader.flag();
  const servers = Array.from({ length: reader.number(MOST_SERVERS) }, () => reader.number());
  if (servers.includes(0)) throw new KernelError('BadSetting', 'A name server has an address.');
  return { isStatic, address, mask, gateway, isDnsAutomatic, servers };
}
