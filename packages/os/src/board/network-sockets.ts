import type { Resolver } from 'node:dns/promises';
import type { BlockList } from 'node:net';
import type { PortValue } from '@sevenfold/formats';
import { bytesArgument, integerArgument, parseHostTarget, textArgument } from './network-arguments.ts';
import { Datagrams } from './network-datagrams.ts';
import { NetworkError } from './network-errors.ts';
import { Listener } from './network-listener.ts';
import { numberOf, textOf, type Dialled, type Routes } from './network-routes.ts';
import { NetworkStream } from './network-stream.ts';
import { NetworkTable } from './network-table.ts';
import { connectHost } from './network-tls.ts';
import { dns, net } from './node-network.ts';

/** How a board's plain sockets reach the world. */
interface SocketOptions {
  readonly resolve: (host: string) => Promise<string | null> | string | null;
  readonly nameServers: readonly string[];
  readonly address: string;
  readonly ownNetworks: readonly string[];
  readonly connectTimeout: number;
  readonly maxSockets: number;
  readonly routes: Routes;
}

const MAX_PORT = 65_535;
const MAX_ADDRESS = 0xffff_ffff;
const MAX_READ = 65_536;
const MAX_BACKLOG = 16;
const LONGEST_DATAGRAM = 65_507;
/** Seconds that an answer of the board's own table holds. */
const OWN_TTL = 60;
const NAME = /^[a-z0-9_](?:[a-z0-9_.-]{0,252})$/;

const addressArgument = (value: PortValue | undefined): string =>
  textOf(integerArgument(value, 'address', MAX_ADDRESS));
const portArgument = (value: PortValue | undefined): number => integerArgument(value, 'port', MAX_PORT);

/** Port and backlog of a listener. */
export function openListener(
  { routes, address }: Pick<SocketOptions, 'routes' | 'address'>,
  port: PortValue | undefined,
  backlog: PortValue | undefined,
): Promise<Listener> {
  const most = Math.max(1, Math.min(MAX_BACKLOG, integerArgument(backlog, 'backlog', MAX_ADDRESS)));
  return Listener.open(routes, address, portArgument(port), most);
}

type Endpoint = NetworkStream | Listener | Datagrams;

function expectKind<T extends Endpoint>(found: Endpoint, kind: new (...args: never[]) => T): T {
  if (found instanceof kind) return found;
  throw new NetworkError('NoSuchSession', 'The socket is of another kind.');
}

const localOf = ({
  localAddress,
  localPort,
}: Omit<Dialled, 'stream'>): { readonly [key: string]: PortValue } => ({
  localAddress: net().isIPv4(localAddress) ? numberOf(localAddress) : 0,
  localPort,
});

/** Whom a board asks for apps' names, and the addresses that no answer may name. */
interface NameAsker {
  readonly resolver: Resolver;
  readonly own: BlockList;
}

/** Made for the first name: most boards are never asked for one. */
function nameAsker({ ownNetworks, nameServers, connectTimeout }: SocketOptions): NameAsker {
  const own = new (net().BlockList)();
  for (const network of ownNetworks) {
    const [address = '', bits] = network.split('/');
    own.addSubnet(address, Number(bits), 'ipv4');
  }
  const resolver = new (dns().Resolver)({ timeout: connectTimeout, tries: 2 });
  resolver.setServers(nameServers);
  return { resolver, own };
}

/** Names, TCP and UDP for apps, on the machine's own sockets. IPv4 only. */
export function socketCalls(options: SocketOptions, closed: AbortSignal) {
  const sockets = new NetworkTable<Endpoint>('socket', options.maxSockets);
  let asker: NameAsker | null = null;

  const dialled = async (dial: () => Promise<Dialled>): Promise<PortValue> => {
    let local: { readonly [key: string]: PortValue } = {};
    const connection = await sockets.add(async () => {
      const found = await dial();
      local = localOf(found);
      return new NetworkStream(found.stream);
    });
    return { connection, ...local };
  };

  const calls = {
    /** Addresses of a name (RFC 1035, A records), and the seconds for which they hold. */
    async resolveName([name]: readonly PortValue[]): Promise<PortValue> {
      const host = textArgument(name, 'name', NAME);
      if (net().isIPv4(host)) return { addresses: [numberOf(host)], ttl: OWN_TTL };
      if (options.nameServers.length === 0) {
        const address = await options.resolve(host);
        if (address === null || !net().isIPv4(address))
          throw new NetworkError('NameNotResolved', `There is no host named ${host}.`);
        return { addresses: [numberOf(address)], ttl: OWN_TTL };
      }
      if (!options.routes.isWorldOpen)
        throw new NetworkError('NameNotResolved', 'No interface that is up leads to a name server.');
      asker ??= nameAsker(options);
      const { resolver, own } = asker;
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
    tcpConnect([address, port]: readonly PortValue[]): Promise<PortValue> {
      const { routes, connectTimeout } = options;
      return dialled(() => routes.dial(addressArgument(address), portArgument(port), connectTimeout, closed));
    },
    tcpConnectHost([untrusted]: readonly PortValue[]): Promise<PortValue> {
      return dialled(() => connectHost(parseHostTarget(untrusted), options, closed));
    },
    tcpListen([port, backlog]: readonly PortValue[]): Promise<PortValue> {
      return sockets.add(() => openListener(options, port, backlog));
    },
    async tcpAccept([listener]: readonly PortValue[]): Promise<PortValue> {
      const accepted = await expectKind(sockets.get(listener), Listener).accept();
      const { stream, address, port } = accepted;
      try {
        const connection = await sockets.add(() => Promise.resolve(new NetworkStream(stream)));
        return { connection, address: numberOf(address), port, ...localOf(accepted) };
      } catch (error) {
        stream.destroy();
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
    async udpOpen([port, on]: readonly PortValue[]): Promise<PortValue> {
      if (on !== 'any' && on !== 'eth0') throw new NetworkError('BadArgument', 'On any interface, or eth0.');
      const wanted = portArgument(port);
      let local: PortValue = {};
      const socket = await sockets.add(async () => {
        const datagrams = await Datagrams.open(options.routes, options.address, wanted, on === 'any');
        local = datagrams.local;
        return datagrams;
      });
      return { socket, ...local };
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
      asker?.resolver.cancel();
      for (const each of sockets.takeAll()) each.destroy();
    },
  };
}
