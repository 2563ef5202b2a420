import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { utf8Encode, type PortValue } from '@sevenfold/formats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBoardNetwork, type BoardNetwork } from '../board/network.ts';
import { startNameServer, type TestNameServer } from '../board/testing/dns-server.fixture.ts';
import { freePort } from '../board/testing/free-port.fixture.ts';
import { ERRNO } from './compartment/errno.ts';
import { FieldWriter } from './settings/fields.ts';
import { KernelWorld } from './testing/kernel-world.ts';
import { COMPONENT, OUT, scriptModule, type Step } from './testing/test-app.ts';

const OTHER = 'bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const LOOPBACK = 0x7f000001;
const SECOND = 1000;

let names: TestNameServer;
let network: BoardNetwork;
let server: Server;
let port = 0;
const peers: Socket[] = [];
const opened: { close(): void }[] = [];

beforeEach(async () => {
  names = await startNameServer();
  names.records.set('cloud.test', { addresses: ['127.0.0.1'], ttl: 60 });
  network = createBoardNetwork({
    nameServers: [names.address],
    ownNetworks: ['192.168.35.0/24', '127.0.9.0/24'],
  });
  server = createServer((socket) => {
    peers.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => socket.write(bytes));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '0.0.0.0', resolve);
  });
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  for (const each of opened.splice(0)) each.close();
  for (const peer of peers.splice(0)) peer.destroy();
  await network.close();
  await names.close();
  await new Promise((resolve) => server.close(resolve));
});

type Capabilities = Readonly<Record<string, unknown>>;

/** An app that waits for ever, and the calls that its compartment makes. */
async function deviceWith(capabilities: Capabilities, second?: Capabilities) {
  const waiting = scriptModule([
    { call: ['sevenfold', 'epoll_create'], args: [OUT] },
    { call: ['sevenfold', 'epoll_wait'], args: ['loaded', 600, 1, -1, 700] },
  ]);
  const world = await KernelWorld.boot({
    network,
    apps: [
      { module: waiting, capabilities },
      ...(second === undefined ? [] : [{ module: waiting, capabilities: second, componentId: OTHER }]),
    ],
  });
  const call = (method: string, ...args: readonly PortValue[]) =>
    world.callAs('compartment:1', method, ...args);
  return { world, call };
}

const socketIn = (value: PortValue): number => (value as { readonly socket: number }).socket;
const denied = { code: 'AccessDenied', field: 'Capabilities.AllowedConnections' };

describe('the firewall of an app', () => {
  it('reaches a host of the manifest at the address that the OS itself resolved', async () => {
    const { call } = await deviceWith({ AllowedConnections: ['cloud.test'] });
    expect(await call('netResolve', 'Cloud.Test.')).toEqual([LOOPBACK]);
    const socket = socketIn(await call('netConnect', LOOPBACK, port));
    await call('netWrite', socket, utf8Encode('ping'));
    expect(await call('netRead', socket, 100)).toEqual(utf8Encode('ping'));
  });

  it('reaches nothing by default, whatever is asked for', async () => {
    const { call } = await deviceWith({});
    await expect(call('netResolve', 'cloud.test')).rejects.toMatchObject(denied);
    await expect(call('netConnect', LOOPBACK, port)).rejects.toMatchObject(denied);
    await expect(call('netListen', 8080, 1)).rejects.toMatchObject({ code: 'AccessDenied' });
    await expect(call('netDatagrams', 8080)).rejects.toMatchObject({ code: 'AccessDenied' });
    const socket = socketIn(await call('netDatagrams', 0));
    await expect(call('netSend', socket, LOOPBACK, port, utf8Encode('x'))).rejects.toMatchObject(denied);
    expect(names.asked).toEqual([]);
  });

  it('knows no address that it did not resolve, even one behind an allowed name', async () => {
    const { call } = await deviceWith({ AllowedConnections: ['cloud.test'] });
    await expect(call('netConnect', LOOPBACK, port)).rejects.toMatchObject(denied);
  });

  it('takes an address of the manifest, and that one alone', async () => {
    const { call } = await deviceWith({ AllowedConnections: ['127.0.0.1'] });
    await call('netConnect', LOOPBACK, port);
    await expect(call('netConnect', LOOPBACK + 1, port)).rejects.toMatchObject(denied);
  });

  it('asks for no name that the manifest does not name: no secret leaves as a label', async () => {
    const { call } = await deviceWith({ AllowedConnections: ['cloud.test'] });
    for (const name of ['secret.cloud.test', 'cloud.test.evil.test', 'loud.test', 'cloud.test..', '']) {
      await expect(call('netResolve', name), name).rejects.toMatchObject(denied);
    }
    expect(names.asked).toEqual([]);
  });

  it('forgets an address when its answer has grown old and a newer one has moved on', async () => {
    names.records.set('cloud.test', { addresses: ['127.0.0.1'], ttl: 10 });
    const { call, world } = await deviceWith({ AllowedConnections: ['cloud.test'] });
    await call('netResolve', 'cloud.test');
    names.records.set('cloud.test', { addresses: ['127.0.0.2'], ttl: 10 });
    await world.clock.advance(9 * SECOND);
    await call('netConnect', LOOPBACK, port);
    await world.clock.advance(2 * SECOND);
    await expect(call('netConnect', LOOPBACK, port)).rejects.toMatchObject(denied);
    await call('netConnect', LOOPBACK + 1, port);
    expect(names.asked).toEqual(['cloud.test', 'cloud.test']);
  });

  it.each(['127.0.9.1', '192.168.35.2', '169.254.1.1', '0.0.0.0', '224.0.0.251', '255.255.255.255'])(
    'is not rebound to %s',
    async (address) => {
      names.records.set('cloud.test', { addresses: [address], ttl: 60 });
      const { call } = await deviceWith({ AllowedConnections: ['cloud.test'] });
      await expect(call('netResolve', 'cloud.test')).rejects.toMatchObject({ code: 'NameNotResolved' });
      const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
      await expect(call('netConnect', number, port)).rejects.toMatchObject(denied);
    },
  );

  it('shares no answer with another app', async () => {
    const { call, world } = await deviceWith(
      { AllowedConnections: ['cloud.test'] },
      { AllowedConnections: ['other.test'] },
    );
    await call('netResolve', 'cloud.test');
    await expect(world.callAs('compartment:2', 'netConnect', LOOPBACK, port)).rejects.toMatchObject(denied);
  });
});

describe('sockets of an app', () => {
  it('listen on a port of the manifest alone, and answer whoever comes', async () => {
    const free = await freePort();
    const { call } = await deviceWith({ AllowedTcpServerPorts: [free] });
    await expect(call('netListen', free + 1, 1)).rejects.toMatchObject({ code: 'AccessDenied' });
    await expect(call('netListen', 0, 1)).rejects.toMatchObject({ code: 'AccessDenied' });
    const listener = socketIn(await call('netListen', free, 4));
    const client = connect(free, '127.0.0.1');
    peers.push(client);
    client.write('hello');
    const accepted = await call('netAccept', listener);
    expect(accepted).toMatchObject({ address: LOOPBACK, localPort: free });
    expect(await call('netRead', socketIn(accepted), 100)).toEqual(utf8Encode('hello'));
  });

  it('hear a datagram of whom they wrote to, and of nobody else', async () => {
    const friend = await udp();
    const stranger = await udp();
    friend.on('message', (bytes, { port: from }) => {
      // Delivered in order on loopback: the stranger's comes first.
      stranger.send('forged', from, '127.0.0.1', () => friend.send(bytes, from, '127.0.0.1'));
    });
    const { call } = await deviceWith({ AllowedConnections: ['127.0.0.1'] });
    const socket = socketIn(await call('netDatagrams', 0));
    await call('netSend', socket, LOOPBACK, friend.address().port, utf8Encode('time?'));
    expect(await call('netReceive', socket)).toEqual({
      address: LOOPBACK,
      port: friend.address().port,
      bytes: utf8Encode('time?'),
    });
  });

  it('answer a stranger on a server port, and write to no other', async () => {
    const stranger = await udp();
    const free = await freePort();
    const { call } = await deviceWith({ AllowedUdpServerPorts: [free] });
    const socket = socketIn(await call('netDatagrams', free));
    stranger.send('question', free, '127.0.0.1');
    const { address, port: from } = (await call('netReceive', socket)) as { address: number; port: number };
    const answer = new Promise((resolve) => stranger.once('message', (bytes) => resolve(bytes.toString())));
    await call('netSend', socket, address, from, utf8Encode('answer'));
    expect(await answer).toBe('answer');
    await expect(call('netSend', socket, address, from - 1, utf8Encode('x'))).rejects.toMatchObject(denied);
  });

  it('are nobody else’s, and at most 16', async () => {
    const { call, world } = await deviceWith({ AllowedConnections: ['127.0.0.1'] }, {});
    const socket = socketIn(await call('netConnect', LOOPBACK, port));
    for (const [method, ...args] of [
      ['netRead', 1],
      ['netWrite', utf8Encode('x')],
      ['netShutdown'],
      ['netAccept'],
      ['netClose'],
    ] as const) {
      await expect(world.callAs('compartment:2', method, socket, ...args), method).rejects.toMatchObject({
        code: 'NotOpen',
      });
    }
    await expect(call('netAccept', socket)).rejects.toMatchObject({ code: 'NotOpen' });
    for (let more = 1; more < 16; more++) await call('netDatagrams', 0);
    await expect(call('netDatagrams', 0)).rejects.toMatchObject({ code: 'TooManyOpen' });
  });

  it('are closed when the app ends', async () => {
    const { call, world } = await deviceWith({ AllowedConnections: ['127.0.0.1'] });
    await call('netConnect', LOOPBACK, port);
    const closed = new Promise((resolve) => peers[0]?.once('end', resolve));
    await world.services('appRemoved', COMPONENT);
    await closed;
  });
});

describe('what an app sees', () => {
  const NAME = 2048;
  const socket = (type: number, flags = 0): Step => ({
    call: ['sevenfold', 'socket_open'],
    args: [type, flags, OUT],
  });
  const to = (name: string, ...args: Step['args']): Step => ({
    call: ['sevenfold', name],
    args: ['loaded', ...args],
  });

  /** The exit code of an app whose last call's errno it is; virtual time stands while sockets are real. */
  async function errnoOf(steps: readonly Step[], capabilities: Capabilities): Promise<number | null> {
    const data = [{ offset: NAME, bytes: utf8Encode('cloud.test') }];
    const world = await KernelWorld.boot({
      network,
      apps: [{ module: scriptModule(steps, data), capabilities }],
    });
    for (let turns = 0; turns < 20_000 && world.reports.length === 0; turns++) await turn();
    return world.reports[0]?.exitCode ?? null;
  }
  const capabilities = { AllowedConnections: ['cloud.test', '127.0.0.1'] };

  it.each<[string, number, readonly Step[] | (() => readonly Step[])]>([
    ['a socket that is neither stream nor datagram', 67, [socket(3)]],
    ['a name of the manifest', 0, [{ call: ['sevenfold', 'resolve'], args: [NAME, 10, 3000, 4, 3100] }]],
    ['a name that it does not name', 2, [{ call: ['sevenfold', 'resolve'], args: [NAME, 9, 3000, 4, 3100] }]],
    ['a connection', 0, () => [socket(6), to('socket_connect', LOOPBACK, port)]],
    ['an address that is not named', 2, () => [socket(6), to('socket_connect', LOOPBACK + 1, port)]],
    ['nobody there', 14, [socket(6), to('socket_connect', LOOPBACK, 1)]],
    ['a connection that does not block', 26, () => [socket(6, 4), to('socket_connect', LOOPBACK, port)]],
    [
      'the second while the first is opening',
      7,
      () => [socket(6, 4), to('socket_connect', LOOPBACK, port), to('socket_connect', LOOPBACK, port)],
    ],
    ['listening where it may not', 2, [socket(6), to('socket_bind', 0, 8080), to('socket_listen', 1)]],
    ['listening with UDP', 58, [socket(5), to('socket_listen', 1)]],
    [
      'sending to nobody',
      17,
      [socket(5), { call: ['wasi_snapshot_preview1', 'fd_write'], args: ['loaded', 512, 0, 600] }],
    ],
    ['a file as a socket', 57, [{ call: ['sevenfold', 'socket_listen'], args: [3, 1] }]],
    ['reading what is not connected', 53, [socket(6), to('socket_receive_from', 4096, 10, 0, 3000, 3100)]],
    ['an answer that points out of memory', 21, [socket(6), to('socket_address', 0, 65_533)]],
    ['an option that is not kept', 50, [socket(6), to('socket_option_set', 99, 1)]],
  ])('%s → errno %i', async (_what, expected, steps) => {
    expect(await errnoOf(typeof steps === 'function' ? steps() : steps, capabilities)).toBe(expected);
  });
});

describe('a socket with a timeout', () => {
  const open = (type: number): Step => ({ call: ['sevenfold', 'socket_open'], args: [type, 0, OUT] });
  const to = (name: string, ...args: Step['args']): Step => ({
    call: ['sevenfold', name],
    args: ['loaded', ...args],
  });
  const RECEIVE_TIMEOUT = 10;
  const PATIENCE = 250;
  const patient = to('socket_option_set', RECEIVE_TIMEOUT, PATIENCE);
  const receive = to('socket_receive_from', 4096, 10, 0, 3000, 3100);

  it.each<[string, readonly Step[] | ((free: number) => readonly Step[])]>([
    ['a datagram', [open(5), to('socket_bind', 0, 0), patient, receive]],
    ['bytes of a peer', () => [open(6), to('socket_connect', LOOPBACK, port), patient, receive]],
    [
      'a peer',
      (free) => [
        open(6),
        to('socket_bind', 0, free),
        to('socket_listen', 1),
        patient,
        { call: ['wasi_snapshot_preview1', 'sock_accept'], args: ['loaded', 0, 3000] },
      ],
    ],
  ])('waits so long for %s, and says EAGAIN then', async (_what, steps) => {
    const free = await freePort();
    const world = await KernelWorld.boot({
      network,
      apps: [
        {
          module: scriptModule(typeof steps === 'function' ? steps(free) : steps),
          capabilities: { AllowedConnections: ['127.0.0.1'], AllowedTcpServerPorts: [free] },
        },
      ],
    });
    for (let turns = 0; turns < 5000 && world.clock.sleeping < 2; turns += 1) await turn();
    const before = world.clock.monotonic();
    while (world.reports.length === 0 && world.clock.monotonic() < before + 10 * PATIENCE) {
      await world.clock.advance(PATIENCE / 10);
      for (let turns = 0; turns < 50; turns += 1) await turn();
    }
    expect(world.reports[0]?.exitCode).toBe(ERRNO.EAGAIN);
    expect(world.clock.monotonic() - before).toBeGreaterThanOrEqual(PATIENCE);
  });
});

describe('a socket whose peer takes nothing', () => {
  it('waits so long to send, and says EAGAIN then: what it sent before is under way', async () => {
    const SEND_TIMEOUT = 11;
    const PATIENCE = 250;
    const to = (name: string, ...args: Step['args']): Step => ({
      call: ['sevenfold', name],
      args: ['loaded', ...args],
    });
    const send: Step = { call: ['wasi_snapshot_preview1', 'fd_write'], args: ['loaded', 512, 1, 600] };
    let written = 0;
    const world = await KernelWorld.boot({
      network: {
        handle: (method) => {
          if (method === 'tcpConnect')
            return Promise.resolve({ connection: 1, localAddress: LOOPBACK, localPort: 1 });
          if (method === 'tcpWrite') written += 1;
          return method === 'tcpWrite' || method === 'tcpRead'
            ? new Promise(() => undefined)
            : Promise.resolve(null);
        },
      },
      apps: [
        {
          module: scriptModule(
            [
              { call: ['sevenfold', 'socket_open'], args: [6, 0, OUT] },
              to('socket_connect', LOOPBACK, 80),
              to('socket_option_set', SEND_TIMEOUT, PATIENCE),
              send,
              send,
            ],
            // One vector of four bytes.
            [{ offset: 512, bytes: Uint8Array.of(0, 1, 0, 0, 4, 0, 0, 0) }],
          ),
          capabilities: { AllowedConnections: ['127.0.0.1'] },
        },
      ],
    });
    await world.clock.advance(PATIENCE - 1);
    expect(world.reports).toEqual([]);
    await world.clock.advance(1);
    expect(world.reports[0]?.exitCode).toBe(ERRNO.EAGAIN);
    expect(written).toBe(1);
  });
});

describe('the device’s proxy', () => {
  const wish = (isDirect: boolean): PortValue => ({
    host: 'cloud.test',
    port: 443,
    identity: 'none',
    isHttp: false,
    isDirect,
    peer: null,
  });
  const capabilities = { AllowedConnections: ['cloud.test', 'inside.example'], NetworkConfig: true };
  const proxyIn = (target: PortValue | undefined): unknown => Reflect.get(Object(target), 'proxy');

  /** A device with a proxy, and what its network was told to open. */
  async function proxied(options = 2) {
    const opened: (readonly [string, PortValue | undefined])[] = [];
    const world = await KernelWorld.boot({
      hasRealTls: true,
      network: {
        handle: (method, [first]) => {
          if (method === 'resolveName') return Promise.resolve({ addresses: [LOOPBACK], ttl: 60 });
          opened.push([method, first]);
          const isSocket = method === 'tcpConnectHost';
          return Promise.resolve(isSocket ? { connection: 1, localAddress: 1, localPort: 1 } : opened.length);
        },
      },
      apps: [{ module: scriptModule(waiting), capabilities }],
    });
    opened.length = 0;
    const fields = new FieldWriter().number(options).text('proxy.test').number(3128).number(1);
    const request = fields.text('lamp').text('secret').text('example, .other.test').finish();
    await world.callAs('compartment:1', 'settings', 16, request);
    return { world, opened };
  }
  const waiting: readonly Step[] = [
    { call: ['sevenfold', 'epoll_create'], args: [OUT] },
    { call: ['sevenfold', 'epoll_wait'], args: ['loaded', 600, 1, -1, 700] },
  ];
  const proxy = { host: '127.0.0.1', port: 3128, credentials: { username: 'lamp', password: 'secret' } };
  const expected = { host: proxy.host, port: proxy.port, ...proxy.credentials };

  it('stands between the OS’s own services and the service as well', async () => {
    const { world, opened } = await proxied();
    const target = { host: 'service.test', port: 443, serverName: 'service.test', roots: [] };
    await world.services('httpsOpen', target);
    expect(opened).toEqual([['httpsOpen', { ...target, proxy: expected }]]);
  });

  it('stands between apps and hosts, but where they go past it or it is told not to', async () => {
    const { world, opened } = await proxied();
    const call = (method: string, ...args: readonly PortValue[]) =>
      world.callAs('compartment:1', method, ...args);
    await call('tlsConnect', wish(false));
    await call('tlsConnect', wish(true));
    await call('netConnectHost', 'cloud.test', 80);
    await call('netConnectHost', 'inside.example', 80);
    expect(opened.map(([method, target]) => [method, proxyIn(target)])).toEqual([
      ['tlsConnect', expected],
      ['tlsConnect', null],
      ['tcpConnectHost', expected],
      ['tcpConnectHost', null],
    ]);
  });

  it('does not, when it is switched off', async () => {
    const { world, opened } = await proxied(1);
    await world.callAs('compartment:1', 'tlsConnect', wish(false));
    expect(opened.map(([, target]) => proxyIn(target))).toEqual([null]);
  });
});

async function udp(): Promise<UdpSocket> {
  const handle = createSocket('udp4');
  opened.push(handle);
  await new Promise<void>((resolve) => {
    handle.bind(0, '127.0.0.1', resolve);
  });
  return handle;
}
