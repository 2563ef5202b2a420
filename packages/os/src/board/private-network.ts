import { Duplex } from 'node:stream';

/** An IPv4 address and a port. */
export interface WireEndpoint {
  readonly address: string;
  readonly port: number;
}

/** A UDP datagram on the wire. */
export interface WireDatagram {
  readonly from: WireEndpoint;
  readonly to: WireEndpoint;
  readonly bytes: Uint8Array;
}

const BROADCAST = '255.255.255.255';
const LONGEST_DATAGRAM = 65_507;
/** RFC 6335 §6: ports of nobody in particular. */
const FIRST_FREE_PORT = 49_152;
const LAST_PORT = 65_535;
const MOST_NODES = 16;

/** What goes wrong on a wire, in the words of the host's own sockets. */
function failure(code: 'EADDRINUSE' | 'ECONNREFUSED' | 'ECONNRESET' | 'ENETUNREACH', what: string): Error {
  return Object.assign(new Error(what), { code });
}

const numberOf = (text: string): number => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

/** Whether an address is for everybody on a wire: broadcast or multicast (224.0.0.0/4). */
export function isForAll(address: string): boolean {
  return address === BROADCAST || (numberOf(address) >= 0xe000_0000 && numberOf(address) < 0xf000_0000);
}

/** One end of a TCP connection over the wire. */
class WireStream extends Duplex {
  /** Where the peer ended, a write is lost. */
  peer: WireStream | null = null;
  /** Goes on with the peer's write, which waits until this end is read. */
  #goOn: ((error?: Error) => void) | null = null;

  override _read(): void {
    const goOn = this.#goOn;
    this.#goOn = null;
    goOn?.();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    if (this.peer === null || this.peer.destroyed) done(failure('ECONNRESET', 'the peer has gone'));
    else if (this.peer.push(chunk)) done();
    else this.peer.#goOn = done;
  }

  override _final(done: () => void): void {
    if (this.peer?.destroyed === false) this.peer.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#goOn?.(failure('ECONNRESET', 'the peer has gone'));
    this.#goOn = null;
    if (!this.writableFinished && this.peer?.destroyed === false)
      this.peer.destroy(failure('ECONNRESET', 'the peer has gone'));
    done(error);
  }
}

/** One device's plug in a private network: an address that can change, and what listens behind it. */
export class WirePlug {
  /** Without an address it sends from 0.0.0.0 and hears what is for all, as a DHCP client does. */
  address = '0.0.0.0';
  /** Length of the network's prefix in bits. */
  prefix = 24;
  isUp = true;
  readonly #wire: PrivateNetwork;
  readonly #datagrams = new Map<number, (datagram: WireDatagram) => void>();
  readonly #servers = new Map<number, (stream: Duplex, from: WireEndpoint) => void>();
  #nextPort = FIRST_FREE_PORT;

  constructor(wire: PrivateNetwork) {
    this.#wire = wire;
  }

  /** Whether it reaches an address directly. */
  isNeighbour(address: string): boolean {
    const size = 2 ** (32 - this.prefix);
    return (
      this.address !== '0.0.0.0' &&
      Math.floor(numberOf(address) / size) === Math.floor(numberOf(this.address) / size)
    );
  }

  /** Hears the datagrams of a port (0: a free one); gives the port. EADDRINUSE if another does. */
  bind(port: number, listener: (datagram: WireDatagram) => void): number {
    return claim(this.#datagrams, port === 0 ? this.#freePort(this.#datagrams) : port, listener);
  }

  unbind(port: number): void {
    this.#datagrams.delete(port);
  }

  /** Sends from a port. What nobody takes is lost. */
  send(port: number, to: WireEndpoint, bytes: Uint8Array): void {
    if (!this.isUp || bytes.length > LONGEST_DATAGRAM) return;
    const from = { address: this.address, port };
    this.#wire.carry(this, { from, to, bytes: bytes.slice() });
  }

  /** Takes the connections to a port. EADDRINUSE if another does. */
  listen(port: number, listener: (stream: Duplex, from: WireEndpoint) => void): void {
    claim(this.#servers, port, listener);
  }

  unlisten(port: number): void {
    this.#servers.delete(port);
  }

  /** Opens a TCP connection. ECONNREFUSED where nobody listens, ENETUNREACH without a wire or an address. */
  connect(to: WireEndpoint): Duplex & { readonly localPort: number } {
    if (!this.isUp || this.address === '0.0.0.0') throw failure('ENETUNREACH', 'the interface is down');
    const there = this.#wire.find(this, to.address);
    const server = there === null ? undefined : there.#servers.get(to.port);
    if (server === undefined) throw failure('ECONNREFUSED', `nobody listens on ${to.address}:${to.port}`);
    const [near, far] = [new WireStream(), new WireStream()];
    [near.peer, far.peer] = [far, near];
    const localPort = this.#freePort(this.#servers);
    server(far, { address: this.address, port: localPort });
    return Object.assign(near, { localPort });
  }

  /** What the wire brought. */
  deliver(datagram: WireDatagram): void {
    if (this.isUp) this.#datagrams.get(datagram.to.port)?.(datagram);
  }

  /** Pulls the plug: nothing is heard or sent any more. */
  unplug(): void {
    this.isUp = false;
    this.#datagrams.clear();
    this.#servers.clear();
    this.#wire.forget(this);
  }

  #freePort(taken: ReadonlyMap<number, unknown>): number {
    for (let tries = FIRST_FREE_PORT; tries <= LAST_PORT; tries += 1) {
      const port = this.#nextPort;
      this.#nextPort = port === LAST_PORT ? FIRST_FREE_PORT : port + 1;
      if (!taken.has(port)) return port;
    }
    throw failure('EADDRINUSE', 'there is no free port');
  }
}

function claim<T>(table: Map<number, T>, port: number, listener: T): number {
  if (table.has(port)) throw failure('EADDRINUSE', `port ${port} is taken`);
  table.set(port, listener);
  return port;
}

/**
 * A private network: a switch with an Ethernet plug for each board or test host. UDP goes to the address, or to
 * everybody for broadcast and multicast; TCP to whoever has the address. It leads nowhere else, and it is only as
 * trustworthy as whoever is plugged in: anybody may say anything from any address.
 */
export class PrivateNetwork {
  readonly #plugs = new Set<WirePlug>();

  /** Plugs a host in; 16 at most. */
  plug(address = '0.0.0.0', prefix = 24): WirePlug {
    if (this.#plugs.size >= MOST_NODES) throw failure('EADDRINUSE', 'every plug of the switch is taken');
    const plug = Object.assign(new WirePlug(this), { address, prefix });
    this.#plugs.add(plug);
    return plug;
  }

  /** Brings a datagram to whom it is for, a moment later. */
  carry(sender: WirePlug, datagram: WireDatagram): void {
    const isOpen = isForAll(datagram.to.address);
    const receivers = [...this.#plugs].filter(
      (plug) => plug !== sender && (isOpen || plug.address === datagram.to.address),
    );
    queueMicrotask(() => {
      for (const receiver of receivers) receiver.deliver(datagram);
    });
  }

  /** Who has an address, but for whoever asks; null: nobody who is up. */
  find(sender: WirePlug, address: string): WirePlug | null {
    return [...this.#plugs].find((plug) => plug !== sender && plug.isUp && plug.address === address) ?? null;
  }

  forget(plug: WirePlug): void {
    this.#plugs.delete(plug);
  }
}
