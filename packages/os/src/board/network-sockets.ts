import type { Socket as UdpHandle } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { BlockList, connect, createServer, isIPv4, type Server, type Socket } from 'node:net';
import type { PortValue } from '@sevenfold/formats';
import { bytesArgument, integerArgument, textArgument } from './network-arguments.ts';
import { NetworkError, toNetworkError } from './network-errors.ts';
import { NetworkStream } from './network-stream.ts';
import { NetworkTable } from './network-table.ts';

/** How a board's plain sockets reach the world. */
interface SocketOptions {
  readonly resolve: (host: string) => Promise<string | null> | string | null;
  readonly nameServers: readonly string[];
  readonly address: string;
  readonly ownNetworks: readonly string[];
  readonly connectTimeout: number;
  readonly maxSockets: number;
}

const MAX_PORT = 65_535;
const MAX_ADDRESS = 0xffff_ffff;
const MAX_READ = 65_536;
const MAX_BACKLOG = 16;
const LONGEST_DATAGRAM = 65_507;
/** Datagrams that wait to be read; more are dropped, as by any network. */
const MOST_WAITING = 32;
/** Seconds that an answer of the board's own table holds. */
const OWN_TTL = 60;
const NAME = /^[a-z0-9_](?:[a-z0-9_.-]{0,252})$/;

const textOf = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
const numberOf = (text: string): number => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const addressArgument = (value: PortValue | undefined): string =>
  textOf(integerArgument(value, 'address', MAX_ADDRESS));
const portArgument = (value: PortValue | undefined): number => integerArgument(value, 'port', MAX_PORT);

/** A listening socket: connections wait here until they are accepted. */
class Listener {
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #wake: (() => void) | null = null;

  constructor(server: Server, backlog: number) {
    this.#server = server;
    server.on('connection', (socket) => {
      // Nobody hears of one that is lost before it is accepted.
      socket.on('error', () => {});
      if (this.#waiting.length >= backlog) socket.destroy();
      else this.#waiting.push(socket);
      this.#wake?.();
    });
    server.on('close', () => this.#wake?.());
  }

  async accept(): Promise<Socket> {
    if (this.#wake !== null)
      throw new NetworkError('SessionBusy', 'Another accept of this socket is waiting.');
    try {
      for (;;) {
        const socket = this.#waiting.shift();
        if (socket !== undefined) return socket;
        if (!this.#server.listening) throw new NetworkError('NetworkClosed', 'The socket was closed.');
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#wake = null;
    }
  }

  destroy(): void {
    for (const socket of this.#waiting) socket.destroy();
    this.#server.close();
  }
}

/** A bound UDP socket: datagrams wait here until they are read. */
class Datagrams {
  readonly #handle: UdpHandle;
  readonly #waiting: { readonly address: number; readonly port: number; readonly bytes: Uint8Array }[] = [];
  #isClosed = false;
  #wake: (() => void) | null = null;

  constructor(handle: UdpHandle) {
    this.#handle = handle;
    handle.on('message', (message, { address, port }) => {
      if (this.#waiting.length >= MOST_WAITING) return;
      this.#waiting.push({ address: numberOf(address), port, bytes: new Uint8Array(message) });
      this.#wake?.();
    });
    // A port that nobody listens on answers by ICMP: UDP promises nothing.
    handle.on('error', () => {});
  }

  send(address: string, port: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#handle.send(bytes, port, address, (error) => {
        if (error === null) resolve();
        else reject(toNetworkError(error));
      });
    });
  }

  async receive(): Promise<PortValue> {
    if (this.#wake !== null) throw new NetworkError('SessionBusy', 'Another read of this socket is waiting.');
    try {
      for (;;) {
        const datagram = this.#waiting.shift();
        if (datagram !== undefined) return { ...datagram };
        if (this.#isClosed) throw new NetworkError('NetworkClosed', 'The socket was closed.');
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#wake = null;
    }
  }

  destroy(): void {
    this.#isClosed = true;
    this.#handle.close();
    this.#wake?.();
  }
}

type Endpoint = NetworkStream | Listener | Datagrams;

function expectKind<T extends Endpoint>(found: Endpoint, kind: new (...args: never[]) => T): T {
  if (found instanceof kind) return found;
  throw new NetworkError('NoSuchSession', 'The socket is of another kind.');
}

const localOf = (socket: Socket): { readonly [key: string]: PortValue } => ({
  localAddress: numberOf(socket.localAddress ?? '0.0.0.0'),
  localPort: socket.localPort ?? 0,
});

/** Names, TCP and UDP for apps, on the machine's own sockets. IPv4 only. */
export function socketCalls(options: SocketOptions, closed: AbortSignal) {
  const sockets = new NetworkTable<Endpoint>('socket', options.maxSockets);
  const own = new BlockList();
  for (const network of options.ownNetworks) {
    const [address = '', bits] = network.split('/');
    own.addSubnet(address, Number(bits), 'ipv4');
  }
  const resolver = new Resolver({ timeout: options.connectTimeout, tries: 2 });
  if (options.nameServers.length > 0) resolver.setServers(options.nameServers);

  const calls = {
    /** Addresses of a name (RFC 1035, A records), and the seconds for which they hold. */
    async resolveName([name]: readonly PortValue[]): Promise<PortValue> {
      const host = textArgument(name, 'name', NAME);
      if (options.nameServers.length === 0) {
        const address = await options.resolve(host);
        if (address === null || !isIPv4(address))
          throw new NetworkError('NameNotResolved', `There is no host named ${host}.`);
        return { addresses: [numberOf(address)], ttl: OWN_TTL };
      }
      const answers = await resolver.resolve4(host, { ttl: true }).catch((error: unknown) => {
        throw new NetworkError('NameNotResolved', `There is no answer for ${host}.`, { cause: error });
      });
      const usable = answers.filter(({ address }) => !own.check(address, 'ipv4'));
      if (usable.length === 0)
        throw new NetworkError('NameNotResolved', `${host} has no address outside the device itself.`);
      return {
        addresses: usable.map(({ address }) => numberOf(address)),
        ttl: Math.min(...usable.map(({ ttl }) => ttl)),
      };
    },
    async tcpConnect([address, port]: readonly PortValue[]): Promise<PortValue> {
      const target = { host: addressArgument(address), port: portArgument(port) };
      let local: { readonly [key: string]: PortValue } = {};
      const connection = await sockets.add(async () => {
        const socket = await connected(connect({ ...target, family: 4 }), options.connectTimeout, closed);
        local = localOf(socket);
        return new NetworkStream(socket);
      });
      return { connection, ...local };
    },
    async tcpListen([port, backlog]: readonly PortValue[]): Promise<PortValue> {
      const server = createServer();
      const wanted = portArgument(port);
      const most = Math.max(1, Math.min(MAX_BACKLOG, integerArgument(backlog, 'backlog', MAX_ADDRESS)));
      return sockets.add(
        () =>
          new Promise((resolve, reject) => {
            server.once('error', (error) => reject(toNetworkError(error)));
            server.listen(wanted, options.address, () => resolve(new Listener(server, most)));
          }),
      );
    },
    async tcpAccept([listener]: readonly PortValue[]): Promise<PortValue> {
      const socket = await expectKind(sockets.get(listener), Listener).accept();
      const peer = { address: numberOf(socket.remoteAddress ?? '0.0.0.0'), port: socket.remotePort ?? 0 };
      const local = localOf(socket);
      try {
        const connection = await sockets.add(() => Promise.resolve(new NetworkStream(socket)));
        return { connection, ...peer, ...local };
      } catch (error) {
        socket.destroy();
        throw error;
      }
    },
    tcpRead([id, most]: readonly PortValue[]): Promise<PortValue> {
      const length = Math.max(1, integerArgument(most, 'most', MAX_READ));
      return expectKind(sockets.get(id), NetworkStream).read(length);
    },
    async tcpWrite([id, bytes]: readonly PortValue[]): Promise<PortValue> {
      await expectKind(sockets.get(id), NetworkStream).write(bytesArgument(bytes, 'bytes', MAX_READ));
      return null;
    },
    tcpShutdown([id]: readonly PortValue[]): PortValue {
      expectKind(sockets.get(id), NetworkStream).endWriting();
      return null;
    },
    async udpOpen([port]: readonly PortValue[]): Promise<PortValue> {
      // Loaded here: few apps send datagrams.
      const handle = process.getBuiltinModule('node:dgram').createSocket({ type: 'udp4' });
      const wanted = portArgument(port);
      const socket = await sockets.add(
        () =>
          new Promise<Datagrams>((resolve, reject) => {
            handle.once('error', (error) => reject(toNetworkError(error)));
            handle.bind({ port: wanted, address: options.address, exclusive: true }, () =>
              resolve(new Datagrams(handle)),
            );
          }),
      );
      const local = handle.address();
      return { socket, localAddress: numberOf(local.address), localPort: local.port };
    },
    async udpSend([id, address, port, bytes]: readonly PortValue[]): Promise<PortValue> {
      const datagrams = expectKind(sockets.get(id), Datagrams);
      await datagrams.send(
        addressArgument(address),
        portArgument(port),
        bytesArgument(bytes, 'bytes', LONGEST_DATAGRAM),
      );
      return null;
    },
    udpReceive([id]: readonly PortValue[]): Promise<PortValue> {
      return expectKind(sockets.get(id), Datagrams).receive();
    },
    socketClose([id]: readonly PortValue[]): PortValue {
      const found = sockets.take(id);
      if (found instanceof NetworkStream) found.close();
      else found.destroy();
      return null;
    },
  };
  return {
    calls,
    close(): void {
      resolver.cancel();
      for (const each of sockets.takeAll()) each.destroy();
    },
  };
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
