import { isBytes, type Clock, type Port, type PortValue } from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';
import { KernelError } from './errors.ts';
import { ServiceDiscovery, serviceNames } from './lan/service-discovery.ts';

/** Seconds for which an answer holds, whatever its TTL says: long enough to be used, short enough to follow a move. */
const LEAST_TTL = 5;
const MOST_TTL = 3600;
const MOST_ADDRESSES = 16;
/** `255.255.255.255`, which a manifest may name. */
const BROADCAST = 0xffff_ffff;
/** This network, link-local, the device's service network, multicast and reserved: no name of the world is there. */
const NEVER: readonly (readonly [base: number, bits: number])[] = [
  [0x00000000, 8],
  [0xa9fe0000, 16],
  [0xc0a82300, 24],
  [0xe0000000, 4],
  [0xf0000000, 4],
];

interface Pin {
  readonly addresses: readonly number[];
  /** Monotonic ms. */
  readonly until: number;
}

const isWithin = (address: number, [base, bits]: readonly [number, number]): boolean =>
  Math.floor(address / 2 ** (32 - bits)) === Math.floor(base / 2 ** (32 - bits));

/** An IPv4 address as it stands in a manifest. */
export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** A name as a manifest has it. */
function plainName(untrusted: string): string {
  return untrusted.toLowerCase().replace(/\.$/, '');
}

/** The number of an address in dotted decimal, without anything else; null: it is a name. */
function literalAddress(text: string): number | null {
  if (!/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text)) return null;
  const parts = text.split('.').map(Number);
  return parts.some((part) => part > 255) ? null : parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** Whether no host of the world is there. */
function isNever(address: number): boolean {
  return NEVER.some((network) => isWithin(address, network));
}

function requireUsable(name: string, addresses: readonly number[]): readonly number[] {
  const usable = addresses.filter((address) => !isNever(address));
  if (usable.length === 0)
    throw new KernelError('NameNotResolved', `${name} has no address outside the device.`);
  return usable;
}

function readAnswer(answer: PortValue): { readonly addresses: readonly number[]; readonly ttl: number } {
  if (typeof answer === 'object' && answer !== null && !Array.isArray(answer) && !isBytes(answer)) {
    const { addresses, ttl } = answer as { readonly [key: string]: PortValue };
    const isAddress = (item: PortValue): item is number =>
      typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= BROADCAST;
    if (Array.isArray(addresses) && addresses.every(isAddress) && typeof ttl === 'number')
      return { addresses: addresses.slice(0, MOST_ADDRESSES), ttl };
  }
  throw new KernelError('BadReply', 'The network gave no addresses.');
}

/**
 * Which peers an app reaches (azure-sphere.md §3.5): addresses that its manifest names, and those that the OS's own
 * resolver gave for a name of the manifest, for as long as that answer holds. An address that nobody resolved is not
 * reached, whatever stands behind it; an answer that points at the device itself is none.
 */
export class Firewall {
  readonly #hardware: Port;
  readonly #clock: Clock;
  readonly #pins = new WeakMap<Compartment, Map<string, Pin>>();
  readonly #discoveries = new WeakMap<Compartment, ServiceDiscovery>();

  constructor(hardware: Port, clock: Clock) {
    this.#hardware = hardware;
    this.#clock = clock;
  }

  /** Refuses with AccessDenied a host that the manifest does not name. */
  requireNamed(compartment: Compartment, untrustedName: string): void {
    if (!compartment.application.capabilities.allowedConnections.includes(plainName(untrustedName))) {
      throw new KernelError('AccessDenied', 'The manifest does not name this host.', {
        field: 'Capabilities.AllowedConnections',
      });
    }
  }

  /** Where a host of the manifest is: an address stands for itself, a name for the first that the OS was answered. */
  async addressOf(compartment: Compartment, host: string): Promise<number> {
    this.requireNamed(compartment, host);
    const literal = literalAddress(host);
    if (literal !== null) return literal;
    const [first = 0] = await this.resolve(compartment, host);
    return first;
  }

  /** Where a host is that the device itself was told of: its proxy. Never the device itself. */
  async addressOfOwn(host: string): Promise<number> {
    const literal = literalAddress(host);
    if (literal !== null) return requireUsable(host, [literal])[0] ?? 0;
    const { addresses } = readAnswer(await this.#hardware.call('resolveName', plainName(host)));
    return requireUsable(host, addresses)[0] ?? 0;
  }

  /** Addresses of a name that the manifest names. */
  async resolve(compartment: Compartment, untrustedName: string): Promise<readonly number[]> {
    const name = plainName(untrustedName);
    this.requireNamed(compartment, untrustedName);
    const known = this.#pinsOf(compartment).get(name);
    if (known !== undefined && known.until > this.#clock.monotonic()) return known.addresses;
    return this.#ask(compartment, name);
  }

  /** What an app whose manifest names services of the local network finds out about them. */
  discoveryOf(compartment: Compartment): ServiceDiscovery {
    let discovery = this.#discoveries.get(compartment);
    if (discovery === undefined) {
      const { allowedConnections } = compartment.application.capabilities;
      discovery = new ServiceDiscovery(serviceNames(allowedConnections), this.#clock);
      this.#discoveries.set(compartment, discovery);
    }
    return discovery;
  }

  /** Refuses with AccessDenied what the app may not reach. */
  async requirePeer(compartment: Compartment, address: number): Promise<void> {
    const { allowedConnections } = compartment.application.capabilities;
    if (allowedConnections.includes(addressText(address))) return;
    if (!isNever(address) && this.discoveryOf(compartment).reaches(address)) return;
    const now = this.#clock.monotonic();
    const holding = [...this.#pinsOf(compartment)].filter(([, { addresses }]) => addresses.includes(address));
    if (holding.some(([, { until }]) => until > now)) return;
    for (const [name] of holding) {
      // The answer has grown old: a newer one decides.
      const fresh = await this.#ask(compartment, name).catch((): readonly number[] => []);
      if (fresh.includes(address)) return;
    }
    throw new KernelError(
      'AccessDenied',
      `The manifest names neither ${addressText(address)} nor a host that is there.`,
      { field: 'Capabilities.AllowedConnections' },
    );
  }

  /** Refuses with AccessDenied a port on which the app may not be reached. */
  requireServerPort(compartment: Compartment, kind: 'Tcp' | 'Udp', port: number): void {
    const { allowedTcpServerPorts, allowedUdpServerPorts } = compartment.application.capabilities;
    const allowed = kind === 'Tcp' ? allowedTcpServerPorts : allowedUdpServerPorts;
    if (!allowed.includes(port)) {
      throw new KernelError('AccessDenied', `The manifest does not name the ${kind} port ${port}.`, {
        field: `Capabilities.Allowed${kind}ServerPorts`,
      });
    }
  }

  async #ask(compartment: Compartment, name: string): Promise<readonly number[]> {
    const { addresses, ttl } = readAnswer(await this.#hardware.call('resolveName', name));
    const usable = requireUsable(name, addresses);
    const holds = Math.min(MOST_TTL, Math.max(LEAST_TTL, ttl)) * 1000;
    this.#pinsOf(compartment).set(name, { addresses: usable, until: this.#clock.monotonic() + holds });
    return usable;
  }

  #pinsOf(compartment: Compartment): Map<string, Pin> {
    let pins = this.#pins.get(compartment);
    if (pins === undefined) {
      pins = new Map();
      this.#pins.set(compartment, pins);
    }
    return pins;
  }
}
