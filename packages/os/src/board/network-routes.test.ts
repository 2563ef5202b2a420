import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { PortValue } from '@sevenfold/formats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBoardNetwork, type BoardNetwork } from './network.ts';
import { PrivateNetwork } from './private-network.ts';

const LOOPBACK = 0x7f000001;
const MASK = 0xffff_ff00;
const HOME = 0x0a000001;
const AWAY = 0x0a000002;
const text = (value: PortValue): string => Buffer.from(value as Uint8Array).toString();

let server: Server;
let port = 0;
const peers: Socket[] = [];
const networks: BoardNetwork[] = [];

beforeEach(async () => {
  server = createServer((socket) => {
    peers.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  for (const network of networks.splice(0)) await network.close();
  for (const peer of peers.splice(0)) peer.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function open(options: Parameters<typeof createBoardNetwork>[0] = {}): BoardNetwork {
  const network = createBoardNetwork({ resolve: () => '127.0.0.1', ...options });
  networks.push(network);
  return network;
}
const link = (network: BoardNetwork, name: string, isUp: boolean, address = 0): Promise<PortValue> =>
  network.handle('linkSet', [name, isUp, address, address === 0 ? 0 : MASK]);
const socketOf = (value: PortValue): number =>
  Number(Reflect.get(Object(value), 'connection') ?? Reflect.get(Object(value), 'socket'));

describe('an interface that goes down', () => {
  it('ends what is open, refuses what is new, and hears nobody; up again all is well', async () => {
    const network = open();
    const before = socketOf(await network.handle('tcpConnect', [LOOPBACK, port]));
    const datagrams = socketOf(await network.handle('udpOpen', [0, 'any']));
    const reading = network.handle('tcpRead', [before, 10]);
    await link(network, 'eth0', false);
    await expect(reading).rejects.toMatchObject({ code: 'ConnectionLost' });
    const refused = { code: 'NetworkUnreachable' };
    await expect(network.handle('tcpConnect', [LOOPBACK, port])).rejects.toMatchObject(refused);
    await expect(
      network.handle('udpSend', [datagrams, LOOPBACK, port, Buffer.from('x')]),
    ).rejects.toMatchObject(refused);
    const service = {
      host: 'service.example',
      port,
      serverName: 'service.example',
      roots: [Uint8Array.of(0x30, 0)],
    };
    await expect(network.handle('httpsOpen', [service])).rejects.toMatchObject(refused);
    await link(network, 'eth0', true);
    const after = socketOf(await network.handle('tcpConnect', [LOOPBACK, port]));
    await network.handle('tcpWrite', [after, Buffer.from('back')]);
    expect(text(await network.handle('tcpRead', [after, 10]))).toBe('back');
  });

  it('leaves the other to carry on: Ethernet or a radio that has joined', async () => {
    const network = open({ accessPoints: [{ ssid: 'home', security: 'open' }] });
    await link(network, 'eth0', false);
    const join = { ssid: Buffer.from('home'), security: 'open', key: '', identity: '' };
    await network.handle('radioJoin', [join]);
    const socket = socketOf(await network.handle('tcpConnect', [LOOPBACK, port]));
    await network.handle('radioLeave', []);
    await expect(network.handle('tcpRead', [socket, 10])).rejects.toMatchObject({ code: 'ConnectionLost' });
    await network.handle('radioJoin', [join]);
    await link(network, 'wlan0', false);
    await expect(network.handle('tcpConnect', [LOOPBACK, port])).rejects.toMatchObject({
      code: 'NetworkUnreachable',
    });
  });
});

describe('a private network', () => {
  it('carries TCP and UDP between boards, and leads nowhere else', async () => {
    const cable = new PrivateNetwork();
    const [home, away] = [open({ privateNetwork: cable }), open({ privateNetwork: cable })];
    expect(await link(home, 'eth0', true, HOME)).toEqual({ leadsTo: 'wire', address: 0 });
    await link(away, 'eth0', true, AWAY);
    const listener = await home.handle('tcpListen', [80, 1]);
    const near = socketOf(await away.handle('tcpConnect', [HOME, 80]));
    const accepted = await home.handle('tcpAccept', [listener]);
    expect(accepted).toMatchObject({ address: AWAY, localAddress: HOME, localPort: 80 });
    await away.handle('tcpWrite', [near, Buffer.from('ping')]);
    expect(text(await home.handle('tcpRead', [socketOf(accepted), 10]))).toBe('ping');
    await away.handle('tcpShutdown', [near]);
    expect(await home.handle('tcpRead', [socketOf(accepted), 10])).toEqual(new Uint8Array());
    const bound = socketOf(await home.handle('udpOpen', [53, 'any']));
    const asking = socketOf(await away.handle('udpOpen', [0, 'any']));
    await away.handle('udpSend', [asking, HOME, 53, Buffer.from('who?')]);
    expect(await home.handle('udpReceive', [bound])).toMatchObject({ address: AWAY });
    await expect(away.handle('tcpConnect', [LOOPBACK, port])).rejects.toMatchObject({
      code: 'NetworkUnreachable',
    });
  });

  it('brings what is for everybody to everybody else', async () => {
    const cable = new PrivateNetwork();
    const network = open({ privateNetwork: cable });
    await link(network, 'eth0', true, HOME);
    const heard: string[] = [];
    for (const address of ['10.0.0.7', '10.0.0.8'])
      cable
        .plug(address)
        .bind(67, ({ from, bytes }) => heard.push(`${address} ${from.address} ${text(bytes)}`));
    const socket = socketOf(await network.handle('udpOpen', [68, 'eth0']));
    await network.handle('udpSend', [socket, 0xffff_ffff, 67, Buffer.from('?')]);
    await new Promise(setImmediate);
    expect(heard).toEqual(['10.0.0.7 10.0.0.1 ?', '10.0.0.8 10.0.0.1 ?']);
  });

  it('keeps no more of a flood than it has room for, and its readers know when a peer is lost', async () => {
    const cable = new PrivateNetwork();
    const network = open({ privateNetwork: cable });
    await link(network, 'eth0', true, HOME);
    const socket = socketOf(await network.handle('udpOpen', [9, 'eth0']));
    const flooder = cable.plug('10.0.0.9');
    for (let count = 0; count < 1000; count += 1)
      flooder.send(9, { address: '10.0.0.1', port: 9 }, Buffer.from([count & 255]));
    await new Promise(setImmediate);
    for (let count = 0; count < 32; count += 1) await network.handle('udpReceive', [socket]);
    const waiting = network.handle('udpReceive', [socket]);
    await network.handle('socketClose', [socket]);
    await expect(waiting).rejects.toMatchObject({ code: 'NetworkClosed' });
    const listener = await network.handle('tcpListen', [80, 1]);
    const stream = flooder.connect({ address: '10.0.0.1', port: 80 });
    stream.on('error', () => {});
    const accepted = socketOf(await network.handle('tcpAccept', [listener]));
    const reading = network.handle('tcpRead', [accepted, 10]);
    stream.destroy();
    await expect(reading).rejects.toMatchObject({ code: 'ConnectionLost' });
  });
});
