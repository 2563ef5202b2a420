import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PortValue } from '@sevenfold/formats';
import { integerArgument } from './network-arguments.ts';
import { NetworkError, toNetworkError } from './network-errors.ts';
import { net } from './node-network.ts';
import { isForAll, type WirePlug } from './private-network.ts';

/** Where a packet goes: to the machine's own network, or to the private one on the board's Ethernet. */
export type Route = 'world' | 'wire';

/** One end of an open connection. */
export interface Dialled {
  readonly stream: Duplex;
  readonly localAddress: string;
  readonly localPort: number;
}

const MAX_ADDRESS = 0xffff_ffff;

export const textOf = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
export const numberOf = (text: string): number =>
  text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

/** The prefix of a mask in bits; 32 for one that is none. */
function prefixOf(mask: number): number {
  const bits = 32 - Math.log2(2 ** 32 - mask);
  return Number.isInteger(bits) ? bits : 32;
}

/**
 * A board's interfaces and what they lead to. `eth0` has the private network where one is plugged in, and the
 * machine's otherwise; `wlan0` the machine's, while the radio has joined a network. An interface that goes down takes
 * whatever was open over it along.
 */
export class Routes {
  readonly wire: WirePlug | null;
  readonly #up = { eth0: true, wlan0: true };
  readonly #open: Readonly<Record<Route, Set<Duplex>>> = { world: new Set(), wire: new Set() };
  #isJoined = false;
  /** The machine's, which stands for the board's own. */
  readonly #address: string;

  constructor(wire: WirePlug | null, address: string) {
    this.wire = wire;
    this.#address = address;
  }

  get isWorldOpen(): boolean {
    return (this.#up.eth0 && this.wire === null) || (this.#up.wlan0 && this.#isJoined);
  }

  /** Sets an interface up or down, and its address; says where it leads. */
  setLink(args: readonly PortValue[]): PortValue {
    const [name, isUp, address, mask] = args;
    if ((name !== 'eth0' && name !== 'wlan0') || typeof isUp !== 'boolean')
      throw new NetworkError('BadArgument', 'There are eth0 and wlan0, up or down.');
    this.#up[name] = isUp;
    const text = textOf(integerArgument(address, 'address', MAX_ADDRESS));
    const prefix = prefixOf(integerArgument(mask, 'mask', MAX_ADDRESS));
    if (name === 'eth0' && this.wire !== null) {
      if (text !== this.wire.address) this.#cut('wire');
      Object.assign(this.wire, { isUp, address: text, prefix });
    }
    this.#cutWhatIsClosed();
    const leadsTo = name === 'eth0' && this.wire !== null ? 'wire' : 'world';
    return { leadsTo, address: leadsTo === 'wire' ? 0 : numberOf(this.#address) };
  }

  /** Whether the radio has joined a network. */
  setJoined(isJoined: boolean): void {
    this.#isJoined = isJoined;
    this.#cutWhatIsClosed();
  }

  /** Which way an address is. NetworkUnreachable: none leads there. */
  to(address: string): Route {
    const isNear = net().isIPv4(address) && (this.wire?.isNeighbour(address) === true || isForAll(address));
    if (this.wire?.isUp === true && isNear) return 'wire';
    // What is for everybody stays on the board's own wire: the machine's network is not the board's to shout into.
    if (this.isWorldOpen && !isForAll(address)) return 'world';
    throw new NetworkError('NetworkUnreachable', `No interface that is up leads to ${address}.`);
  }

  /** Opens a TCP connection. */
  async dial(
    address: string,
    port: number,
    milliseconds: number,
    closed: AbortSignal,
  ): Promise<Dialled & { readonly route: Route }> {
    const route = this.to(address);
    if (route === 'world' || this.wire === null) {
      const socket = await connected(net().connect({ host: address, port }), milliseconds, closed);
      this.track(socket, route);
      const { localAddress = '0.0.0.0', localPort = 0 } = socket;
      return { stream: socket, localAddress, localPort, route };
    }
    try {
      const stream = this.wire.connect({ address, port });
      this.track(stream, route);
      return { stream, localAddress: this.wire.address, localPort: stream.localPort, route };
    } catch (error) {
      throw toNetworkError(error);
    }
  }

  /** Ends it with the interface. */
  track(stream: Duplex, route: Route): void {
    this.#open[route].add(stream);
    stream.on('error', () => {});
    stream.once('close', () => this.#open[route].delete(stream));
  }

  #cutWhatIsClosed(): void {
    if (!this.isWorldOpen) this.#cut('world');
    if (this.wire?.isUp === false) this.#cut('wire');
  }

  #cut(route: Route): void {
    for (const stream of this.#open[route])
      stream.destroy(new NetworkError('ConnectionLost', 'The interface went down.'));
  }
}

/** Resolves when the socket is connected; within the time, and while the board's network is open. */
function connected(socket: Socket, milliseconds: number, closed: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      fail(new NetworkError('ConnectionTimeout', 'The peer did not answer in time.'));
    }, milliseconds);
    const onClosed = (): void => fail(new NetworkError('NetworkClosed', 'The network is closed.'));
    const done = (): void => {
      clearTimeout(timer);
      closed.removeEventListener('abort', onClosed);
    };
    const fail = (error: unknown): void => {
      done();
      socket.destroy();
      reject(toNetworkError(error));
    };
    closed.addEventListener('abort', onClosed, { once: true });
    socket.once('error', fail);
    socket.once('connect', () => {
      done();
      socket.off('error', fail);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}
