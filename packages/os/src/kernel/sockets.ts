import { isBytes, type Clock, type Port, type PortValue } from '@sevenfold/formats';
import type { Compartment } from './compartments.ts';
import type { ProxyRecord } from './connections.ts';
import { KernelError } from './errors.ts';
import type { Firewall } from './firewall.ts';
import { MDNS_ADDRESS, MDNS_PORT } from './lan/service-discovery.ts';

/** Sockets of one app, open or opening. */
const MOST_SOCKETS = 16;
/** Peers of a UDP socket that are remembered, and ms for which they may answer. */
const MOST_PEERS = 64;
const ANSWER_TIME = 60_000;

/** Where apps find the device's own resolver (127.0.0.1:53). */
const HOME = 0x7f00_0001;
const DNS_PORT = 53;

type Fields = { readonly [key: string]: PortValue };

interface OpenSocket {
  readonly owner: Compartment;
  readonly kind: 'stream' | 'listener' | 'datagram';
  /** Of a datagram socket: whether anybody may write to it, since the manifest names its port. */
  readonly isServer: boolean;
  /** Of a datagram socket: monotonic ms until which this peer, `address:port`, is part of an exchange. */
  readonly peers: Map<string, number>;
  /** Monotonic ms until which answers of services are heard. */
  asksUntil: number;
  /** Whether it asked the resolver of the device, which then is whom it hears. */
  asksAtHome: boolean;
}

function fieldsOf(value: PortValue): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isBytes(value))
    throw new KernelError('BadReply', 'The network gave no record.');
  // A record of a port: what is neither null, an array nor bytes.
  return value as Fields;
}

function numberIn(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number') throw new KernelError('BadReply', `The network gave no ${name}.`);
  return value;
}

/** What sockets stand on. */
export interface SocketsHost {
  readonly hardware: Port;
  readonly clock: Clock;
  readonly firewall: Firewall;
  /** The device's proxy for a host; null: none. */
  readonly proxyFor: (host: string) => Promise<ProxyRecord | null>;
}

/** TCP and UDP of apps, behind each one's firewall. */
export class Sockets {
  readonly #hardware: Port;
  readonly #clock: Clock;
  readonly #firewall: Firewall;
  readonly #proxyFor: (host: string) => Promise<ProxyRecord | null>;
  readonly #open = new Map<number, OpenSocket>();
  readonly #opening = new WeakMap<Compartment, number>();

  constructor({ hardware, clock, firewall, proxyFor }: SocketsHost) {
    this.#hardware = hardware;
    this.#clock = clock;
    this.#firewall = firewall;
    this.#proxyFor = proxyFor;
  }

  async resolve(compartment: Compartment, name: string): Promise<PortValue> {
    return [...(await this.#firewall.resolve(compartment, name))];
  }

  /** Steps in order: peer reached by the manifest; room; connected. */
  async connect(compartment: Compartment, address: number, port: number): Promise<PortValue> {
    await this.#firewall.requirePeer(compartment, address);
    return this.#add(compartment, 'stream', 'connection', () =>
      this.#hardware.call('tcpConnect', address, port),
    );
  }

  /** As `connect` to a host of the manifest, through the device's proxy where one stands between. */
  async connectHost(compartment: Compartment, host: string, port: number): Promise<PortValue> {
    this.#firewall.requireNamed(compartment, host);
    return this.#add(compartment, 'stream', 'connection', async () => {
      const proxy = await this.#proxyFor(host);
      const address = proxy === null ? await this.#firewall.addressOf(compartment, host) : null;
      return this.#hardware.call('tcpConnectHost', { host, port, address, proxy });
    });
  }

  async listen(compartment: Compartment, port: number, backlog: number): Promise<PortValue> {
    this.#firewall.requireServerPort(compartment, 'Tcp', port);
    return this.#add(compartment, 'listener', 'socket', async () => ({
      socket: await this.#hardware.call('tcpListen', port, backlog),
    }));
  }

  async accept(compartment: Compartment, listener: number): Promise<PortValue> {
    this.#require(compartment, listener, 'listener');
    return this.#add(compartment, 'stream', 'connection', () => this.#hardware.call('tcpAccept', listener));
  }

  async read(compartment: Compartment, socket: number, most: number): Promise<PortValue> {
    this.#require(compartment, socket, 'stream');
    return this.#hardware.call('tcpRead', socket, most);
  }

  async write(compartment: Compartment, socket: number, bytes: Uint8Array): Promise<PortValue> {
    this.#require(compartment, socket, 'stream');
    return this.#hardware.call('tcpWrite', socket, bytes);
  }

  async shutdown(compartment: Compartment, socket: number): Promise<PortValue> {
    this.#require(compartment, socket, 'stream');
    return this.#hardware.call('tcpShutdown', socket);
  }

  /** Port 0: any, for an app that asks and is answered; another: one that the manifest names. */
  async openDatagrams(compartment: Compartment, port: number): Promise<PortValue> {
    if (port !== 0) this.#firewall.requireServerPort(compartment, 'Udp', port);
    return this.#add(
      compartment,
      'datagram',
      'socket',
      () => this.#hardware.call('udpOpen', port, 'any'),
      port !== 0,
    );
  }

  /** To whom the manifest reaches, and to whoever has just written to a port that it names. */
  async send(
    compartment: Compartment,
    socket: number,
    [address, port]: readonly [number, number],
    bytes: Uint8Array,
  ): Promise<PortValue> {
    const entry = this.#require(compartment, socket, 'datagram');
    // Apps of the original ask a resolver on the device itself, and take answers from nobody else.
    const isAtHome = address === HOME && port === DNS_PORT && this.#mayAsk(compartment, bytes);
    if (isAtHome || (address === MDNS_ADDRESS && port === MDNS_PORT)) {
      this.#requireQuestion(compartment, entry, bytes);
      entry.asksAtHome = isAtHome;
      return this.#hardware.call('udpSend', socket, MDNS_ADDRESS, MDNS_PORT, bytes);
    }
    if (!this.#isPeer(entry, address, port)) {
      await this.#firewall.requirePeer(compartment, address);
      this.#remember(entry, address, port);
    }
    return this.#hardware.call('udpSend', socket, address, port, bytes);
  }

  /** The next datagram of somebody who may write to this socket; others are dropped unseen. */
  async receive(compartment: Compartment, socket: number): Promise<PortValue> {
    const entry = this.#require(compartment, socket, 'datagram');
    for (;;) {
      const datagram = fieldsOf(await this.#hardware.call('udpReceive', socket));
      const address = numberIn(datagram, 'address');
      const port = numberIn(datagram, 'port');
      if (entry.isServer) this.#remember(entry, address, port);
      const isHeard = entry.isServer || this.#isPeer(entry, address, port);
      if (isHeard) return datagram;
      if (this.#isDiscovered(compartment, entry, datagram))
        return entry.asksAtHome ? { ...datagram, address: HOME, port: DNS_PORT } : datagram;
    }
  }

  /** To everybody on the local network an app says nothing but questions about the services of its manifest. */
  #requireQuestion(compartment: Compartment, entry: OpenSocket, bytes: Uint8Array): void {
    if (!this.#mayAsk(compartment, bytes)) {
      throw new KernelError('AccessDenied', 'This is no question about a service that the manifest names.', {
        field: 'Capabilities.AllowedConnections',
      });
    }
    entry.asksUntil = this.#clock.monotonic() + ANSWER_TIME;
  }

  #mayAsk(compartment: Compartment, bytes: Uint8Array): boolean {
    return this.#firewall.discoveryOf(compartment).mayAsk(bytes);
  }

  /** Whoever answers is not whom was written to: what he says decides (RFC 6762 §6.7). */
  #isDiscovered(compartment: Compartment, entry: OpenSocket, datagram: Fields): boolean {
    const { address, port, bytes } = datagram;
    return (
      port === MDNS_PORT &&
      entry.asksUntil > this.#clock.monotonic() &&
      typeof address === 'number' &&
      isBytes(bytes) &&
      this.#firewall.discoveryOf(compartment).learn(address, bytes)
    );
  }

  async close(compartment: Compartment, socket: number): Promise<null> {
    this.#require(compartment, socket);
    this.#open.delete(socket);
    await this.#hardware.call('socketClose', socket);
    return null;
  }

  /** Closes whatever a compartment that ended had open. */
  async release(compartment: Compartment): Promise<void> {
    for (const [socket, { owner }] of this.#open)
      if (owner === compartment) await this.close(compartment, socket);
  }

  async #add(
    compartment: Compartment,
    kind: OpenSocket['kind'],
    field: 'connection' | 'socket',
    open: () => Promise<PortValue>,
    isServer = false,
  ): Promise<PortValue> {
    const opening = this.#opening.get(compartment) ?? 0;
    const held = [...this.#open.values()].filter(({ owner }) => owner === compartment).length;
    if (held + opening >= MOST_SOCKETS)
      throw new KernelError('TooManyOpen', `An app may have ${MOST_SOCKETS} sockets.`);
    this.#opening.set(compartment, opening + 1);
    try {
      const { [field]: id, ...rest } = fieldsOf(await open());
      if (typeof id !== 'number') throw new KernelError('BadReply', 'The network gave no socket.');
      this.#open.set(id, {
        owner: compartment,
        kind,
        isServer,
        peers: new Map(),
        asksUntil: 0,
        asksAtHome: false,
      });
      if (compartment.isEnded) {
        // What it held was released while this one opened: nobody else would close it.
        await this.close(compartment, id);
        throw new KernelError('NotOpen', 'The app came to an end before this socket was open.');
      }
      return { socket: id, ...rest };
    } finally {
      this.#opening.set(compartment, (this.#opening.get(compartment) ?? 1) - 1);
    }
  }

  #require(compartment: Compartment, socket: number, kind?: OpenSocket['kind']): OpenSocket {
    const entry = this.#open.get(socket);
    if (entry === undefined || entry.owner !== compartment || (kind !== undefined && entry.kind !== kind))
      throw new KernelError('NotOpen', 'This socket is not open.');
    return entry;
  }

  #isPeer({ peers }: OpenSocket, address: number, port: number): boolean {
    return (peers.get(`${address}:${port}`) ?? -1) > this.#clock.monotonic();
  }

  #remember({ peers }: OpenSocket, address: number, port: number): void {
    const key = `${address}:${port}`;
    peers.delete(key);
    peers.set(key, this.#clock.monotonic() + ANSWER_TIME);
    const [oldest] = peers.keys();
    if (peers.size > MOST_PEERS && oldest !== undefined) peers.delete(oldest);
  }
}
