import type { Socket as UdpHandle } from 'node:dgram';
import type { PortValue } from '@sevenfold/formats';
import { NetworkError, toNetworkError } from './network-errors.ts';
import { numberOf, textOf, type Routes } from './network-routes.ts';
import { dgram } from './node-network.ts';
import { WaitingLine } from './waiting-line.ts';

/** Datagrams that wait to be read; more are dropped, as by any network. */
const MOST_WAITING = 32;

interface Datagram {
  readonly address: number;
  readonly port: number;
  readonly bytes: Uint8Array;
}

/** A bound UDP port, on either network: datagrams wait here until they are read. */
export class Datagrams {
  readonly #routes: Routes;
  readonly #waiting = new WaitingLine<Datagram>('read');
  #handle: UdpHandle | null = null;
  #wirePort: number | null = null;

  constructor(routes: Routes) {
    this.#routes = routes;
  }

  /** Binds the private network's port, if there is one, and the machine's where `isWide` and an interface leads there. */
  static async open(routes: Routes, address: string, port: number, isWide: boolean): Promise<Datagrams> {
    const datagrams = new Datagrams(routes);
    try {
      if (routes.wire !== null)
        datagrams.#wirePort = routes.wire.bind(port, ({ from, bytes }) => datagrams.#add(from, bytes));
      if (isWide && routes.isWorldOpen) await datagrams.#bind(address, port);
      return datagrams;
    } catch (error) {
      datagrams.destroy();
      throw toNetworkError(error);
    }
  }

  async #bind(address: string, port: number): Promise<void> {
    const handle = dgram().createSocket({ type: 'udp4' });
    this.#handle = handle;
    await new Promise<void>((resolve, reject) => {
      handle.once('error', reject);
      handle.bind({ port, address, exclusive: true }, () => resolve());
    });
    handle.on('message', (message, from) => {
      if (this.#routes.isWorldOpen) this.#add(from, new Uint8Array(message));
    });
    // A port that nobody listens on answers by ICMP: UDP promises nothing.
    handle.removeAllListeners('error').on('error', () => {});
  }

  #add({ address, port }: { readonly address: string; readonly port: number }, bytes: Uint8Array): void {
    if (this.#waiting.length >= MOST_WAITING) return;
    this.#waiting.add({ address: numberOf(address), port, bytes });
  }

  get local(): { readonly localAddress: number; readonly localPort: number } {
    const bound = this.#handle?.address() ?? {
      address: this.#routes.wire?.address ?? textOf(0),
      port: this.#wirePort ?? 0,
    };
    return { localAddress: numberOf(bound.address), localPort: bound.port };
  }

  async send(address: string, port: number, bytes: Uint8Array): Promise<void> {
    const route = this.#routes.to(address);
    if (route === 'wire' && this.#wirePort !== null)
      return this.#routes.wire?.send(this.#wirePort, { address, port }, bytes);
    const handle = this.#handle;
    if (handle === null)
      throw new NetworkError('NetworkUnreachable', 'The socket was opened while no interface led there.');
    await new Promise<void>((resolve, reject) => {
      handle.send(bytes, port, address, (error) => {
        if (error === null) resolve();
        else reject(toNetworkError(error));
      });
    });
  }

  async receive(): Promise<PortValue> {
    return { ...(await this.#waiting.take()) };
  }

  destroy(): void {
    this.#waiting.close();
    if (this.#wirePort !== null) this.#routes.wire?.unbind(this.#wirePort);
    this.#handle?.close();
  }
}
