import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { toNetworkError } from './network-errors.ts';
import { textOf, type Route, type Routes } from './network-routes.ts';
import { net } from './node-network.ts';
import type { WireEndpoint } from './private-network.ts';
import { WaitingLine } from './waiting-line.ts';

/** A connection that a peer opened. */
export interface Accepted {
  readonly stream: Duplex;
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** A listening port: connections of either network wait here until they are accepted. */
export class Listener {
  readonly #routes: Routes;
  readonly #port: number;
  readonly #backlog: number;
  readonly #waiting = new WaitingLine<Accepted>('accept');
  #server: Server | null = null;

  constructor(routes: Routes, port: number, backlog: number) {
    this.#routes = routes;
    this.#port = port;
    this.#backlog = backlog;
  }

  /** Listens on the private network, if there is one, and on the machine's `address` where an interface leads there. */
  static async open(routes: Routes, address: string, port: number, backlog: number): Promise<Listener> {
    const listener = new Listener(routes, port, backlog);
    try {
      const { wire } = routes;
      wire?.listen(port, (stream, from) => listener.#add(stream, from, wire.address, 'wire'));
      if (routes.isWorldOpen) await listener.#listen(address);
      return listener;
    } catch (error) {
      listener.destroy();
      throw toNetworkError(error);
    }
  }

  #listen(address: string): Promise<void> {
    const server = net().createServer((socket: Socket) => {
      // The port stays the machine's while the interface is down.
      if (!this.#routes.isWorldOpen) {
        socket.destroy();
        return;
      }
      const from = { address: socket.remoteAddress ?? textOf(0), port: socket.remotePort ?? 0 };
      this.#add(socket, from, address, 'world');
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, address, () => resolve());
    });
  }

  #add(stream: Duplex, from: WireEndpoint, localAddress: string, route: Route): void {
    this.#routes.track(stream, route);
    if (this.#waiting.isClosed || this.#waiting.length >= this.#backlog) {
      stream.destroy();
      return;
    }
    this.#waiting.add({ stream, ...from, localAddress, localPort: this.#port });
  }

  accept(): Promise<Accepted> {
    return this.#waiting.take();
  }

  destroy(): void {
    this.#routes.wire?.unlisten(this.#port);
    this.#server?.close();
    for (const { stream } of this.#waiting.close()) stream.destroy();
  }
}
