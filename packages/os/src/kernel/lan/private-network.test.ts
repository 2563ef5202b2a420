import { utf8Encode, viewOf, type Port } from '@sevenfold/formats';
import { afterEach, describe, expect, it } from 'vitest';
import { createBoardNetwork, type BoardNetwork } from '../../board/network.ts';
import { PrivateNetwork, type WireDatagram, type WirePlug } from '../../board/private-network.ts';
import { FieldReader, FieldWriter } from '../settings/fields.ts';
import { DeviceSettings } from '../settings/settings.ts';
import { compartmentWith } from '../testing/compartment.fixture.ts';
import { TestClock } from '../testing/test-clock.ts';
import { TimeKeeper } from '../time-keeper.ts';
import { DHCP, numbers, OPTION, readDhcp, writeDhcp, type DhcpMessage } from './dhcp-message.ts';

const HOUR = 3_600_000;
const SERVER = 0xc0a8640a;
const LEASE = 0xc0a8640b;
const MASK = 0xffff_ff00;
const EPOCH = 2_208_988_800;
const CAPABILITIES = { NetworkConfig: true, DhcpService: true, SntpService: true, TimeSyncConfig: true };
const networks: BoardNetwork[] = [];

afterEach(async () => {
  for (const network of networks.splice(0)) await network.close();
});

const app = compartmentWith(CAPABILITIES);

/** A device's networking on a private network. */
class Device {
  readonly settings: DeviceSettings;
  readonly timeKeeper: TimeKeeper;
  times: readonly number[] = [];
  readonly log: string[] = [];
  #flash: Uint8Array | null = null;

  private constructor(clock: TestClock, hardware: Port, deviceId: string) {
    this.timeKeeper = new TimeKeeper(hardware, clock);
    let drawn = 0;
    this.settings = new DeviceSettings({
      hardware,
      clock,
      deviceId,
      timeKeeper: this.timeKeeper,
      random: (length) =>
        Promise.resolve(Uint8Array.from({ length }, () => (drawn = (drawn * 73 + 41) & 0xff))),
      log: (line) => void this.log.push(line),
      monitor: {
        call: (method, _component, content) => {
          if (method === 'mutableWrite') this.#flash = content as Uint8Array;
          return Promise.resolve(method === 'mutableRead' ? this.#flash : null);
        },
      },
    });
  }

  static async boot(
    clock: TestClock,
    wire: PrivateNetwork,
    digit: string,
    resolve: (host: string) => string | null = () => null,
  ): Promise<Device> {
    const times: number[] = [];
    const network = createBoardNetwork({
      privateNetwork: wire,
      setTime: (time) => times.push(time),
      resolve,
    });
    networks.push(network);
    const device = new Device(
      clock,
      { call: (method, ...args) => network.handle(method, args) },
      digit.repeat(64),
    );
    device.times = times;
    await device.settings.load();
    return device;
  }

  async do(number: number, write: (writer: FieldWriter) => unknown): Promise<FieldReader> {
    const writer = new FieldWriter();
    write(writer);
    return new FieldReader(await this.settings.handle(app, number, writer.finish()));
  }

  setStatic(address: number): Promise<FieldReader> {
    return this.do(7, (to) =>
      to.text('eth0').flag(true).number(address).number(MASK).number(0).flag(false).number(0),
    );
  }

  serveAddresses(hours = 24, timeServers: readonly number[] = []): Promise<FieldReader> {
    return this.do(15, (to) => {
      to.text('eth0').number(LEASE).number(1).number(MASK).number(SERVER).number(hours);
      to.number(timeServers.length);
      for (const each of timeServers) to.number(each);
    });
  }

  async address(): Promise<number> {
    return (await this.do(19, (to) => to.text('eth0'))).number();
  }

  customServers(primary: string, secondary = '', hasFallback = false): Promise<FieldReader> {
    return this.do(12, (to) => to.number(2).flag(hasFallback).text(primary).text(secondary));
  }
}

const settle = (clock: TestClock, milliseconds = 10): Promise<void> => clock.advance(milliseconds);

describe('a DHCP server on a private network', () => {
  it('gives its one address to the first who asks, and to nobody else until it is free', async () => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    const server = await Device.boot(clock, wire, 'a');
    await server.setStatic(SERVER);
    await server.serveAddresses(1);
    const first = await Device.boot(clock, wire, 'b');
    const second = await Device.boot(clock, wire, 'c');
    await settle(clock);
    expect([await first.address(), await second.address()]).toEqual([LEASE, 0]);
    // Renewed for as long as it is there.
    await clock.advance(5 * HOUR);
    expect([await first.address(), await second.address()]).toEqual([LEASE, 0]);
    await first.do(8, (to) => to.text('eth0'));
    await clock.advance(2 * 64_000);
    expect([await first.address(), await second.address()]).toEqual([0, LEASE]);
  });

  it('is not there any more when its interface has no address of its own, and is needed for a lease to stay', async () => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    const server = await Device.boot(clock, wire, 'a');
    await server.setStatic(SERVER);
    await server.serveAddresses(1);
    const client = await Device.boot(clock, wire, 'b');
    await settle(clock);
    expect(await client.address()).toBe(LEASE);
    await server.do(7, (to) =>
      to.text('eth0').flag(false).number(0).number(0).number(0).flag(true).number(0),
    );
    await clock.advance(HOUR / 2);
    expect(await client.address()).toBe(LEASE);
    await clock.advance(HOUR);
    expect(await client.address()).toBe(0);
  });

  it('lives through whatever else is on the wire', async () => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    const server = await Device.boot(clock, wire, 'a');
    await server.setStatic(SERVER);
    await server.serveAddresses();
    const stranger = wire.plug('192.168.100.66');
    const genuine = discover(Uint8Array.of(2, 0, 0, 0, 0, 9));
    const answers: WireDatagram[] = [];
    stranger.bind(68, (datagram) => answers.push(datagram));
    const say = async (bytes: Uint8Array): Promise<void> => {
      stranger.send(68, { address: '255.255.255.255', port: 67 }, bytes);
      await settle(clock);
    };
    for (let length = 0; length < genuine.length; length += 7) await say(genuine.slice(0, length));
    for (let at = 0; at < 28; at += 1) await say(genuine.with(at, (genuine[at] ?? 0) ^ 0xff));
    await say(new Uint8Array(65_000).fill(53));
    answers.length = 0;
    for (let count = 0; count < 500; count += 1)
      stranger.send(68, { address: '255.255.255.255', port: 67 }, genuine);
    await settle(clock);
    // What waits in the board is bounded, and so is what is looked at in a second.
    expect(answers.length).toBeLessThanOrEqual(100);
    await clock.advance(1000);
    answers.length = 0;
    await say(genuine);
    expect(readDhcp(answers[0]?.bytes ?? new Uint8Array(0))).toMatchObject({
      isReply: true,
      type: DHCP.offer,
      yourAddress: LEASE,
    });
  });
});

function discover(hardwareAddress: Uint8Array): Uint8Array {
  return writeDhcp({
    isReply: false,
    type: DHCP.discover,
    transaction: 7,
    clientAddress: 0,
    yourAddress: 0,
    hardwareAddress,
    options: new Map(),
  });
}

describe('a device that asks for an address', () => {
  /** Answers everything with this offer. */
  function rogue(wire: PrivateNetwork, change: (message: DhcpMessage) => Partial<DhcpMessage>): WirePlug {
    const plug = wire.plug('10.0.0.1', 8);
    plug.bind(67, ({ bytes }) => {
      const question = readDhcp(bytes);
      if (question === null) return;
      const answer: DhcpMessage = {
        ...question,
        isReply: true,
        type: question.type === DHCP.discover ? DHCP.offer : DHCP.acknowledge,
        yourAddress: 0x0a000002,
        options: new Map([
          [OPTION.server, numbers(0x0a000001)],
          [OPTION.mask, numbers(0xff00_0000)],
          [OPTION.leaseTime, numbers(3600)],
        ]),
      };
      plug.send(67, { address: '255.255.255.255', port: 68 }, writeDhcp({ ...answer, ...change(answer) }));
    });
    return plug;
  }
  const option = (message: DhcpMessage, code: number, value: number): Partial<DhcpMessage> => ({
    options: new Map([...message.options, [code, numbers(value)]]),
  });

  it.each<[string, (message: DhcpMessage) => Partial<DhcpMessage>, number]>([
    ['a sound offer', () => ({}), 0x0a000002],
    ['an answer to somebody else', ({ transaction }) => ({ transaction: transaction ^ 1 }), 0],
    ['an offer for another device', () => ({ hardwareAddress: Uint8Array.of(2, 9, 9, 9, 9, 9) }), 0],
    ['the loopback address', () => ({ yourAddress: 0x7f000001 }), 0],
    ['an address of the service network', () => ({ yourAddress: 0xc0a82305 }), 0],
    ['a multicast address', () => ({ yourAddress: 0xe00000fb }), 0],
    ['no address', () => ({ yourAddress: 0 }), 0],
    ['the broadcast address of its network', () => ({ yourAddress: 0x0affffff }), 0],
    ['a mask with holes', (message) => option(message, OPTION.mask, 0xff00_ff00), 0],
    ['a mask that makes the world a neighbour', (message) => option(message, OPTION.mask, 0), 0],
    ['an offer of nobody', ({ options }) => ({ options: new Map([...options].slice(1)) }), 0],
  ])('and is given %s', async (_what, change, expected) => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    rogue(wire, change);
    const device = await Device.boot(clock, wire, 'b');
    await settle(clock, 20_000);
    expect(await device.address()).toBe(expected);
  });
});

describe('a time server on a private network', () => {
  const question = (mode = 3): Uint8Array => {
    const packet = new Uint8Array(48);
    packet[0] = (4 << 3) | mode;
    packet.set([1, 2, 3, 4, 5, 6, 7, 8], 40);
    return packet;
  };

  it('tells the time to whoever asks, and whether anybody told it', async () => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    const server = await Device.boot(clock, wire, 'a');
    await server.setStatic(SERVER);
    await server.do(14, (to) => to.text('eth0'));
    const client = wire.plug('192.168.100.11');
    const answers: Uint8Array[] = [];
    client.bind(5000, ({ bytes }) => answers.push(bytes));
    const ask = async (bytes: Uint8Array): Promise<void> => {
      client.send(5000, { address: '192.168.100.10', port: 123 }, bytes);
      await settle(clock);
    };
    await ask(question());
    await server.timeKeeper.set(clock.now(), 'service');
    await ask(question());
    expect(answers.map((answer) => [(answer[0] ?? 0) >>> 6, (answer[0] ?? 0) & 7, answer[1]])).toEqual([
      [3, 4, 16],
      [0, 4, 3],
    ]);
    const [, known = new Uint8Array(48)] = answers;
    expect([...known.subarray(24, 32)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect((viewOf(known).getUint32(40) - EPOCH) * 1000).toBeCloseTo(clock.now(), -4);
    // Neither answers nor what is no question makes it speak: two servers cannot be set on each other.
    for (const bytes of [question(4), question(1), question().slice(0, 47), new Uint8Array(0)])
      await ask(bytes);
    expect(answers).toHaveLength(2);
  });
});

describe('a device that asks for the time', () => {
  const START = Date.UTC(2027, 0, 1);
  type Answer = (packet: Uint8Array) => Uint8Array | null;
  const telling =
    (time: number, change: (answer: Uint8Array) => void = () => undefined): Answer =>
    (packet) => {
      const answer = new Uint8Array(48);
      answer.set([(4 << 3) | 4, 2]);
      answer.set(packet.subarray(40, 48), 24);
      viewOf(answer).setUint32(40, (time / 1000 + EPOCH) % 2 ** 32);
      change(answer);
      return answer;
    };

  const kissing = (code: string): Answer =>
    telling(START, (answer) => {
      answer[1] = 0;
      answer.set(utf8Encode(code), 12);
    });

  /** Time servers by address, and how often each was asked. */
  function serve(wire: PrivateNetwork, answers: Readonly<Record<string, Answer>>): Record<string, number> {
    const asked: Record<string, number> = {};
    for (const [address, answer] of Object.entries(answers)) {
      const plug = wire.plug(address);
      asked[address] = 0;
      plug.bind(123, ({ from, bytes }) => {
        asked[address] = (asked[address] ?? 0) + 1;
        const said = answer(bytes);
        if (said !== null) plug.send(123, from, said);
      });
    }
    return asked;
  }
  const HOSTS: Readonly<Record<string, string>> = {
    'first.test': '192.168.100.21',
    'second.test': '192.168.100.22',
    'time.sevenfold.invalid': '192.168.100.23',
  };
  async function device(clock: TestClock, wire: PrivateNetwork): Promise<Device> {
    const made = await Device.boot(clock, wire, 'a', (host) => HOSTS[host] ?? null);
    await made.setStatic(SERVER);
    return made;
  }
  const lastServer = async (made: Device): Promise<string> => {
    try {
      return (await made.do(13, () => undefined)).text(255);
    } catch (error) {
      return String(Reflect.get(Object(error), 'code'));
    }
  };

  it('takes it from the server that the app named, and asks again each day', async () => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    const asked = serve(wire, { '192.168.100.21': telling(START + 60_000) });
    const made = await device(clock, wire);
    await made.customServers('first.test');
    await settle(clock);
    expect(made.times).toEqual([START + 60_000]);
    expect(await lastServer(made)).toBe('first.test');
    await clock.advance(24 * HOUR);
    expect(asked['192.168.100.21']).toBe(2);
  });

  it.each<[string, Answer]>([
    ['does not answer', () => null],
    ['answers with half a packet', (packet) => packet.slice(0, 20)],
    ['answers another question', telling(START, (answer) => answer.fill(9, 24, 32))],
    ['does not know the time itself', telling(START, (answer) => void (answer[0] = (3 << 6) | (4 << 3) | 4))],
    ['is further from the time than anybody', telling(START, (answer) => void (answer[1] = 16))],
    ['says no time', telling(START, (answer) => answer.fill(0, 40, 48))],
    ['says that it is last year', telling(Date.UTC(2025, 5, 1))],
    ['speaks as a client', telling(START, (answer) => void (answer[0] = (4 << 3) | 3))],
    ['sends a Kiss-o’-Death', kissing('RATE')],
  ])('goes on to the next when one %s', async (_what, answer) => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    serve(wire, { '192.168.100.21': answer, '192.168.100.22': telling(START + 5000) });
    const made = await device(clock, wire);
    await made.customServers('first.test', 'second.test');
    await settle(clock, 5000);
    expect(made.times).toEqual([START + 5000]);
    expect(await lastServer(made)).toBe('second.test');
  });

  it('falls back on the built-in server only where that was asked for', async () => {
    for (const hasFallback of [false, true]) {
      const clock = new TestClock();
      const wire = new PrivateNetwork();
      const asked = serve(wire, { '192.168.100.23': telling(START) });
      const made = await device(clock, wire);
      await made.customServers('first.test', '', hasFallback);
      await settle(clock, 10_000);
      expect(asked['192.168.100.23']).toBe(hasFallback ? 1 : 0);
      expect(await lastServer(made)).toBe(hasFallback ? 'time.sevenfold.invalid' : 'NoSuchFile');
    }
  });

  it.each<[string, number]>([
    ['RATE', 2],
    ['DENY', 1],
    ['RSTR', 1],
  ])('leaves a server alone that says %s', async (code, expected) => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    const kiss = kissing(code);
    const asked = serve(wire, { '192.168.100.21': kiss });
    const made = await device(clock, wire);
    await made.customServers('first.test');
    await clock.advance(HOUR - 1000);
    expect(asked['192.168.100.21']).toBe(1);
    await clock.advance(HOUR);
    expect(asked['192.168.100.21']).toBe(expected);
  });

  it('believes no server that is a day off what its own service said', async () => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    serve(wire, { '192.168.100.21': telling(START + 25 * HOUR), '192.168.100.22': telling(START + HOUR) });
    const made = await device(clock, wire);
    await made.timeKeeper.set(START, 'service');
    await made.customServers('first.test', 'second.test');
    await settle(clock, 5000);
    expect(made.times).toEqual([START, START + HOUR]);
    expect(made.log.join()).toContain('the time of first.test is not taken');
  });

  it('is not told by whoever guesses', async () => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    serve(wire, { '192.168.100.21': () => null });
    const made = await device(clock, wire);
    const forger = wire.plug('192.168.100.21');
    await made.customServers('first.test');
    for (let port = 49_152; port < 49_200; port += 1)
      forger.send(
        123,
        { address: '192.168.100.10', port },
        telling(START + HOUR)(new Uint8Array(48)) ?? new Uint8Array(0),
      );
    await settle(clock, 5000);
    expect(made.times).toEqual([]);
  });

  it('asks the servers that came with its address, where it is told to', async () => {
    const clock = new TestClock();
    const wire = new PrivateNetwork();
    const asked = serve(wire, { '192.168.100.30': telling(START + 1000) });
    const server = await Device.boot(clock, wire, 'a');
    await server.setStatic(SERVER);
    await server.serveAddresses(24, [0xc0a8641e]);
    const client = await Device.boot(clock, wire, 'b');
    await client.do(12, (to) => to.number(1).flag(false).text('').text(''));
    await settle(clock, 5000);
    expect(asked['192.168.100.30']).toBeGreaterThan(0);
    expect(client.times).toEqual([START + 1000]);
  });
});
