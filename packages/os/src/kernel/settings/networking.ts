import type { PortValue } from '@sevenfold/formats';
import { KernelError } from '../errors.ts';
import { addressText } from '../firewall.ts';
import type { Lease } from '../lan/dhcp-client.ts';
import { PrivateServices, type PrivateServicesHost } from '../lan/private-services.ts';
import type { FieldReader, FieldWriter } from './fields.ts';
import { ProxySettings } from './proxy.ts';
import { TimeSync } from './time-sync.ts';

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
  lease: Lease | null;
  /** The machine's, where that is what it leads to. */
  boardAddress: number;
}

/** The one that a private network may be plugged into. */
const PRIVATE = 'eth0';
/** The machine's own network does not say how large it is. */
const BOARD_MASK = 0xffff_ff00;
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
export interface NetworkingHost extends PrivateServicesHost {
  readonly deviceId: string;
  /** Whether the radio has joined a network. */
  readonly isWifiConnected: () => boolean;
}

/** Interfaces, time servers, proxy and the services of a private network (applibs/networking.h). */
export class Networking {
  readonly #host: NetworkingHost;
  readonly #interfaces = new Map<string, InterfaceState>();
  readonly #services: PrivateServices;
  readonly time: TimeSync;
  readonly proxy = new ProxySettings();

  constructor(host: NetworkingHost) {
    this.#host = host;
    this.#services = new PrivateServices(host);
    this.time = new TimeSync({ ...host, leasedServers: () => this.#leasedServers() });
    for (const { name } of INTERFACES) {
      const addresses = DYNAMIC;
      this.#interfaces.set(name, {
        isEnabled: true,
        hardwareAddress: null,
        addresses,
        isReleased: false,
        isPrivate: false,
        lease: null,
        boardAddress: 0,
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
    this.time.begin();
  }

  async #tellBoard(name: string): Promise<void> {
    const state = this.#find(name);
    const { isEnabled, addresses } = state;
    const { address, mask } = addresses.isStatic ? addresses : (state.lease ?? NO_LEASE);
    const answer = await this.#host.hardware.call('linkSet', name, isEnabled, address, mask);
    state.isPrivate = fieldOf(answer, 'leadsTo') === 'wire';
    const own = fieldOf(answer, 'address');
    state.boardAddress = typeof own === 'number' ? own : 0;
    if (name === PRIVATE) await this.#followLease(state);
  }

  /** A private network that gives addresses gives this device one too, unless it has one of its own. */
  async #followLease(state: InterfaceState): Promise<void> {
    const { isEnabled, isPrivate, addresses, isReleased } = state;
    if (!addresses.isStatic) await this.#services.stopAddresses();
    const wants = isEnabled && isPrivate && !addresses.isStatic && !isReleased;
    await this.#services.followClient(wants ? this.#hardwareAddressOf(PRIVATE) : null, async (lease) => {
      state.lease = lease;
      await this.#tellBoard(PRIVATE);
      if (lease !== null) this.time.leaseChanged();
    });
    if (wants || state.lease === null) return;
    state.lease = null;
    await this.#tellBoard(PRIVATE);
  }

  #leasedServers(): readonly string[] {
    return (this.#find(PRIVATE).lease?.timeServers ?? []).map(addressText);
  }

  /** Address and mask of an interface; 0: it has none. */
  addresses(reader: FieldReader, writer: FieldWriter): void {
    const name = reader.text(LONGEST_NAME);
    const { addresses, lease, boardAddress, isPrivate } = this.#find(name);
    const board = { address: boardAddress, mask: boardAddress === 0 ? 0 : BOARD_MASK };
    const dynamic = isPrivate ? (lease ?? NO_LEASE) : board;
    const hasOne = (this.#statusOf(name) & STATUS.address) !== 0;
    const { address, mask } = !hasOne ? NO_LEASE : addresses.isStatic ? addresses : dynamic;
    writer.number(address).number(mask);
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
    return this.#hardwareAddressOf(this.#owned(reader));
  }

  #hardwareAddressOf(name: string): Uint8Array {
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

  async release(reader: FieldReader): Promise<void> {
    this.#dynamic(reader).isReleased = true;
    await this.#tellBoard(PRIVATE);
  }

  async renew(reader: FieldReader): Promise<void> {
    this.#dynamic(reader).isReleased = false;
    await this.#tellBoard(PRIVATE);
  }

  /** Serves time on a private network. On any other nobody would hear. */
  async startTimeServer(reader: FieldReader): Promise<void> {
    if (this.#find(this.#owned(reader)).isPrivate) await this.#services.serveTime();
  }

  /** Gives one address away on a private network, whose interface has an address of its own. */
  async startAddressServer(reader: FieldReader): Promise<void> {
    const name = this.#owned(reader);
    const [lease, count, mask] = [reader.number(), reader.number(), reader.number()];
    const [gateway, hours] = [reader.number(), reader.number()];
    const timeServers = Array.from({ length: reader.number(MOST_SERVERS) }, () => reader.number());
    const { addresses, isPrivate } = this.#find(name);
    if (!addresses.isStatic)
      throw new KernelError('NotPermitted', 'The interface has no address of its own.');
    const isNeighbour = ((lease ^ addresses.address) & mask) === 0 && lease !== addresses.address;
    if (count !== 1 || lease === 0 || mask === 0 || !isNeighbour)
      throw new KernelError('BadSetting', 'The lease is no address of this network.');
    const config = { own: addresses.address, lease, mask, gateway, hours, timeServers };
    if (isPrivate) await this.#services.serveAddresses(config);
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
    this.time.save(writer);
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
    this.time.load(reader);
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

function fieldOf(value: PortValue, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : null;
}
