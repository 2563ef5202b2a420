import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { utf8Encode, type PortValue } from '@sevenfold/formats';
import {
  createBoardNetwork,
  PrivateNetwork,
  type BoardNetwork,
  type BoardNetworkOptions,
} from '@sevenfold/os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  startNameServer,
  type TestNameServer,
} from '../../../packages/os/src/board/testing/dns-server.fixture.ts';
import { startProxy, type TestProxy } from '../../../packages/os/src/board/testing/proxy.fixture.ts';
import { FieldWriter } from '../../../packages/os/src/kernel/settings/fields.ts';
import { dnsMessage } from '../../../packages/os/src/kernel/testing/dns.fixture.ts';
import { attackedDevice, idleModule, type AttackedDevice } from './attack.ts';

const LOOPBACK = 0x7f000001;
const MULTICAST = 0xe00000fb;
const SERVICE = '_sample-service._tcp.local';
const TENANT = '11111111-2222-4333-8444-555555555555';
const denied = { code: 'AccessDenied' };
const nowhere = { code: 'NameNotResolved' };

let names: TestNameServer;
let victim: Server;
let port = 0;
let visits = 0;
let network: BoardNetwork | null = null;
let proxy: TestProxy | null = null;

beforeEach(async () => {
  names = await startNameServer();
  names.records.set('cloud.test', { addresses: ['127.0.0.1'], ttl: 60 });
  visits = 0;
  victim = createServer((socket) => {
    visits += 1;
    socket.destroy();
  });
  victim.listen(0, '127.0.0.1');
  await once(victim, 'listening');
  port = (victim.address() as AddressInfo).port;
});
afterEach(async () => {
  await network?.close();
  await proxy?.close();
  network = null;
  proxy = null;
  await names.close();
  await new Promise((resolve) => victim.close(resolve));
});

/** An attacker who has taken over the program beside its app as well, on a device with a real network. */
async function attacker(
  capabilities: Readonly<Record<string, unknown>>,
  options: BoardNetworkOptions = {},
): Promise<AttackedDevice> {
  network = createBoardNetwork({
    nameServers: [names.address],
    resolve: () => {
      throw new Error('The board was asked for a name that the firewall has not seen.');
    },
    ...options,
  });
  const device = await attackedDevice({ network, hasRealTls: true });
  await device.attack(idleModule(), capabilities);
  return device;
}

const tls = (host: string, more: Readonly<Record<string, PortValue>> = {}): PortValue => ({
  host,
  port,
  identity: 'none',
  isHttp: true,
  isDirect: false,
  peer: null,
  ...more,
});

/** All the ways there are to a host by name. */
const ways = (device: AttackedDevice, host: string): readonly (() => Promise<PortValue>)[] => [
  () => device.call('tlsConnect', tls(host)),
  () => device.call('netConnectHost', host, port),
  () => device.call('netResolve', host),
];

describe('an app that wants to reach somebody else', () => {
  it.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '::1',
    '[::1]',
    '::ffff:127.0.0.1',
    'fe80::1%eth0',
    'cloud.test@127.0.0.1',
    'cloud.test\0.evil.test',
    'cloud.test\r\nHost: evil.test',
    'xn--cloud.test',
    'ＣＬＯＵＤ.test',
    'localhost',
    '',
  ])('does not by %j', async (host) => {
    const device = await attacker({ AllowedConnections: ['cloud.test'] });
    for (const way of ways(device, host)) await expect(way()).rejects.toMatchObject(denied);
    expect([visits, names.asked]).toEqual([0, []]);
    await device.expectUntouched();
  });

  it.each(['192.168.35.2', '0.0.0.0', '169.254.1.1', '224.0.0.251', '255.255.255.255'])(
    'is not rebound to %s, over TLS, plain or with a proxy’s help',
    async (address) => {
      names.records.set('cloud.test', { addresses: [address], ttl: 1 });
      const device = await attacker({ AllowedConnections: ['cloud.test'] });
      for (const way of ways(device, 'cloud.test')) await expect(way()).rejects.toMatchObject(nowhere);
      expect(visits).toBe(0);
    },
  );

  it('speaks TLS with the address that the firewall saw, and asks nobody else for another', async () => {
    const device = await attacker({ AllowedConnections: ['cloud.test'] });
    // The victim speaks no TLS: that it was visited is what counts.
    await expect(device.call('tlsConnect', tls('cloud.test'))).rejects.toBeInstanceOf(Error);
    expect([visits, names.asked]).toEqual([1, ['cloud.test']]);
  });
});

describe('an app that sets the device’s proxy', () => {
  const set = (
    device: AttackedDevice,
    host: string,
    at: number,
    user = '',
    password = '',
  ): Promise<PortValue> => {
    const fields = new FieldWriter()
      .number(2)
      .text(host)
      .number(at)
      .number(user === '' ? 0 : 1);
    return device.call('settings', 16, fields.text(user).text(password).text('').finish());
  };
  const capabilities = { AllowedConnections: ['cloud.test'], NetworkConfig: true };

  it.each(['192.168.35.2', '169.254.169.254', '0.0.0.0', '224.0.0.251', 'home.test'])(
    'has it nowhere near the device itself: %s',
    async (host) => {
      names.records.set('home.test', { addresses: ['192.168.35.2'], ttl: 60 });
      const device = await attacker(capabilities);
      await set(device, host, port);
      await expect(device.call('tlsConnect', tls('cloud.test'))).rejects.toMatchObject(nowhere);
      await expect(device.call('netConnectHost', 'cloud.test', 80)).rejects.toMatchObject(nowhere);
    },
  );

  it('reaches through it whom the manifest names, and asks for nobody else', async () => {
    proxy = await startProxy({ answer: () => 'HTTP/1.1 200 OK\r\n\r\n' });
    const device = await attacker(capabilities);
    await set(device, '127.0.0.1', proxy.port);
    for (const host of ['evil.test', '127.0.0.1', 'cloud.test:22', 'cloud.test\r\n\r\nCONNECT evil.test'])
      for (const way of ways(device, host).slice(0, 2)) await expect(way()).rejects.toMatchObject(denied);
    expect(proxy.heads).toEqual([]);
    await device.call('netConnectHost', 'cloud.test', 80);
    expect(proxy.heads).toEqual(['CONNECT cloud.test:80 HTTP/1.1\r\nHost: cloud.test:80\r\n\r\n']);
    // What the proxy is not asked for, it is not told: the name is its to resolve.
    expect(names.asked).toEqual([]);
  });

  it('smuggles nothing into what the OS says to it', async () => {
    const device = await attacker(capabilities);
    const smuggled = 'a\r\nX: y';
    const bad = { code: 'BadSetting' };
    await expect(set(device, `proxy.test\r\nX: y`, 3128)).rejects.toMatchObject(bad);
    await expect(set(device, 'proxy.test', 3128, smuggled, 'b')).rejects.toMatchObject(bad);
    await expect(set(device, 'proxy.test', 3128, 'a', smuggled)).rejects.toMatchObject(bad);
    await expect(set(device, 'proxy.test', 3128, 'a:b', 'c')).rejects.toMatchObject(bad);
  });

  it('does not, without the capability', async () => {
    const device = await attacker({ AllowedConnections: ['cloud.test'] });
    await expect(set(device, 'proxy.test', 3128)).rejects.toMatchObject(denied);
  });
});

describe('an app that shouts on the local network', () => {
  const say = async (
    device: AttackedDevice,
    bytes: Uint8Array,
    to = MULTICAST,
    at = 5353,
  ): Promise<PortValue> => {
    const opened = (await device.call('netDatagrams', 0)) as { readonly socket: number };
    return device.call('netSend', opened.socket, to, at, bytes);
  };
  const question = (name: string): Uint8Array => dnsMessage({ questions: [{ name, type: 12 }] });

  it('asks for its services, and says nothing else to anybody', async () => {
    const wire = new PrivateNetwork();
    const heard: string[] = [];
    for (const each of [5353, 80])
      wire.plug('10.0.0.9').bind(each, ({ bytes }) => void heard.push(Buffer.from(bytes).toString('latin1')));
    const device = await attacker({ AllowedConnections: [SERVICE] }, { privateNetwork: wire });
    await network?.handle('linkSet', ['eth0', true, 0x0a000001, 0xffff_ff00]);
    for (const bytes of [
      utf8Encode('secret'),
      question('secret.evil.local'),
      question(`${SERVICE}.evil.local`),
      dnsMessage({ isAnswer: true, answers: [{ name: SERVICE, type: 12, target: `x.${SERVICE}` }] }),
    ])
      await expect(say(device, bytes)).rejects.toMatchObject(denied);
    // The right question to the wrong people: another port, another group, everybody, one neighbour.
    for (const [to, at] of [
      [MULTICAST, 80],
      [0xe00000fc, 5353],
      [0xffff_ffff, 5353],
      [0x0a000009, 5353],
    ] as const)
      await expect(say(device, question(SERVICE), to, at)).rejects.toMatchObject(denied);
    expect(heard).toEqual([]);
    await say(device, question(SERVICE));
    await new Promise(setImmediate);
    expect(heard).toHaveLength(1);
    await device.expectUntouched();
  });

  it('asks the device’s own resolver for its services, and gets nowhere else by it', async () => {
    const wire = new PrivateNetwork();
    const device = await attacker({ AllowedConnections: [SERVICE] }, { privateNetwork: wire });
    await network?.handle('linkSet', ['eth0', true, 0x0a000001, 0xffff_ff00]);
    const helper = wire.plug('10.0.0.9');
    helper.bind(5353, ({ from }) => {
      const service = { name: SERVICE, type: 12, target: `x.${SERVICE}` };
      helper.send(5353, from, dnsMessage({ isAnswer: true, answers: [service] }));
    });
    for (const [bytes, at] of [
      [utf8Encode('secret'), 53],
      [question('secret.evil.local'), 53],
      [question(SERVICE), 5353],
      [question(SERVICE), 80],
    ] as const)
      await expect(say(device, bytes, LOOPBACK, at)).rejects.toMatchObject(denied);
    const { socket } = (await device.call('netDatagrams', 0)) as { readonly socket: number };
    await device.call('netSend', socket, LOOPBACK, 53, question(SERVICE));
    // As an app of the original has it: from nobody but the resolver.
    expect(await device.call('netReceive', socket)).toMatchObject({ address: LOOPBACK, port: 53 });
    await expect(device.call('netSend', socket, LOOPBACK, 53, utf8Encode('secret'))).rejects.toMatchObject(
      denied,
    );
    await expect(device.call('netConnect', LOOPBACK, 53)).rejects.toMatchObject(denied);
  });

  it('is led by no answer to a host that did not send it, nor by one to another app', async () => {
    const wire = new PrivateNetwork();
    const device = await attacker({ AllowedConnections: [SERVICE] }, { privateNetwork: wire });
    await network?.handle('linkSet', ['eth0', true, 0x0a000001, 0xffff_ff00]);
    const accomplice = wire.plug('10.0.0.9');
    accomplice.bind(5353, ({ from }) => {
      const records = [0x0a000008, LOOPBACK, 0x08080808, 0x0a000009].map((address) => ({
        name: 'x.local',
        type: 1,
        address,
      }));
      const service = { name: `x.${SERVICE}`, type: 33, target: 'x.local' };
      accomplice.send(5353, from, dnsMessage({ isAnswer: true, answers: [service, ...records] }));
    });
    const { socket } = (await device.call('netDatagrams', 0)) as { readonly socket: number };
    await device.call('netSend', socket, MULTICAST, 5353, question(SERVICE));
    await device.call('netReceive', socket);
    for (const address of [0x0a000008, LOOPBACK, 0x08080808])
      await expect(device.call('netConnect', address, 80)).rejects.toMatchObject(denied);
    // The one who answered may be reached: nobody listens there.
    await expect(device.call('netConnect', 0x0a000009, 80)).rejects.toMatchObject({
      code: 'ConnectionRefused',
    });
    await expect(device.world.callAs('compartment:1', 'netConnect', 0x0a000009, 80)).rejects.toMatchObject(
      denied,
    );
  });
});

describe('an app that plays a device', () => {
  it('listens as one, and connects as one, only with a tenant’s certificate and a port of its manifest', async () => {
    const device = await attacker({ AllowedConnections: ['cloud.test'], AllowedTcpServerPorts: [9443] });
    await expect(device.call('tlsListen', 9443, 1)).rejects.toMatchObject(denied);
    const peer = tls('cloud.test', { identity: 'none', peer: '' });
    await expect(device.call('tlsConnect', peer)).rejects.toMatchObject(denied);
    const named = await attacker({ DeviceAuthentication: TENANT, AllowedTcpServerPorts: [9443] });
    await expect(named.call('tlsListen', 9444, 1)).rejects.toMatchObject(denied);
    await expect(named.call('tlsListen', 9443, 1)).rejects.toMatchObject({ code: 'NotReady' });
  });
});
