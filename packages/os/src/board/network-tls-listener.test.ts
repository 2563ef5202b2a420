import { connect as connectTcp } from 'node:net';
import type { PortValue } from '@sevenfold/formats';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  makeAuthorities,
  makeIdentity,
  type Authorities,
  type Identity,
} from './testing/identities.fixture.ts';
import { createBoardNetwork, type BoardNetwork } from './network.ts';
import { PrivateNetwork } from './private-network.ts';
import { freePort } from './testing/free-port.fixture.ts';

const NOW = Date.now();
const PORT = 9443;
const idOf = (digit: string): string => digit.repeat(32);

let all: Authorities;
let other: Authorities;
let first: Identity;
let second: Identity;
const networks: BoardNetwork[] = [];

beforeAll(async () => {
  all = await makeAuthorities({ now: NOW });
  other = await makeAuthorities({ now: NOW });
  first = await makeIdentity('device', idOf('a1'), all.tenantCa, { now: NOW });
  second = await makeIdentity('device', idOf('b2'), all.tenantCa, { now: NOW });
});
afterEach(async () => {
  for (const network of networks.splice(0)) await network.close();
});

const wire = (): PrivateNetwork => new PrivateNetwork();

/** A board on a private network. */
async function board(privateNetwork: PrivateNetwork, address: number, now?: number): Promise<BoardNetwork> {
  const network = createBoardNetwork({
    privateNetwork,
    ...(now === undefined ? {} : { now: () => now }),
  });
  networks.push(network);
  await network.handle('linkSet', ['eth0', true, address, 0xffff_ff00]);
  return network;
}

const HOME = 0x0a000001;
const AWAY = 0x0a000002;

/** As whom a device answers, and whom it takes for one of its tenant. */
const serviceOf = (
  as: Identity,
  ca: Identity,
  former: readonly Identity[] = [],
): Record<string, PortValue> => ({
  chain: [as.certificate.der, ca.certificate.der],
  key: as.key.pkcs8,
  roots: [ca, ...former].map(({ certificate }) => certificate.der),
  issuer: all.intermediate.certificate.der,
});

const listen = (network: BoardNetwork, as: Identity, ca: Identity, port = PORT): Promise<PortValue> =>
  network.handle('tlsListen', [{ port, backlog: 4, ...serviceOf(as, ca) }]);

const target = (as: Identity | null, ca: Identity, more: Record<string, PortValue> = {}): PortValue => ({
  host: 'first.local',
  address: HOME,
  port: PORT,
  serverName: 'first.local',
  roots: [ca.certificate.der],
  issuer: all.intermediate.certificate.der,
  peer: 'device',
  ...(as === null ? {} : { clientChain: [as.certificate.der, ca.certificate.der], clientKey: as.key.pkcs8 }),
  ...more,
});

/** Whether an exchange of bytes comes about. */
async function speaks(network: BoardNetwork, wanted: PortValue): Promise<string> {
  try {
    const id = await network.handle('tlsConnect', [wanted]);
    await network.handle('tlsWrite', [id, Buffer.from('ping')]);
    const answer = (await network.handle('tlsRead', [id, 10])) as Uint8Array;
    return Buffer.from(answer).toString() || 'nothing';
  } catch (error) {
    return String(Reflect.get(Object(error), 'code'));
  }
}

/** Accepts one device, answers it and says who it is. */
async function serve(network: BoardNetwork, listener: PortValue): Promise<string> {
  const accepted = (await network.handle('tlsAccept', [listener])) as {
    connection: number;
    deviceId: string;
  };
  const bytes = (await network.handle('tlsRead', [accepted.connection, 10])) as Uint8Array;
  await network.handle('tlsWrite', [accepted.connection, bytes]);
  return accepted.deviceId;
}

describe('two devices of one tenant', () => {
  it('speak with each other, each knowing who the other is', async () => {
    const cable = wire();
    const [home, away] = [await board(cable, HOME), await board(cable, AWAY)];
    const listener = await listen(home, first, all.tenantCa);
    const served = serve(home, listener);
    expect(await speaks(away, target(second, all.tenantCa, { deviceId: idOf('a1') }))).toBe('ping');
    expect(await served).toBe(idOf('b2'));
  });

  it('are judged at the board’s own time', async () => {
    const cable = wire();
    const later = NOW + 25 * 3_600_000;
    const [home, away] = [await board(cable, HOME), await board(cable, AWAY, later)];
    await listen(home, first, all.tenantCa);
    expect(await speaks(away, target(second, all.tenantCa))).toBe('ServerNotTrusted');
  });
});

describe('a device does not speak with', () => {
  const heard: [string, () => PortValue][] = [
    [
      'another tenant’s device',
      () => target(other.device, other.tenantCa, { roots: [all.tenantCa.certificate.der] }),
    ],
    [
      'one that shows the other tenant’s certificate under its own authority',
      () =>
        target(null, all.tenantCa, {
          clientChain: [other.device.certificate.der, all.tenantCa.certificate.der],
          clientKey: other.device.key.pkcs8,
        }),
    ],
    [
      'a device with its update certificate',
      () => target(all.update, all.updateCa, { roots: [all.tenantCa.certificate.der] }),
    ],
    ['somebody without a certificate', () => target(null, all.tenantCa)],
    [
      'whoever signs with another key',
      () =>
        target(null, all.tenantCa, {
          clientChain: [second.certificate.der, all.tenantCa.certificate.der],
          clientKey: other.device.key.pkcs8,
        }),
    ],
  ];
  it.each(heard)('%s that comes', async (_who, wanted) => {
    const cable = wire();
    const [home, away] = [await board(cable, HOME), await board(cable, AWAY)];
    const listener = await listen(home, first, all.tenantCa);
    const served = serve(home, listener);
    expect(['nothing', 'ConnectionLost', 'HandshakeRefused', 'BadArgument']).toContain(
      await speaks(away, wanted()),
    );
    // Nobody was let in: the next genuine device is the first that is accepted.
    expect(await speaks(away, target(second, all.tenantCa))).toBe('ping');
    expect(await served).toBe(idOf('b2'));
  });

  it.each<[string, () => [Identity, Identity], Record<string, PortValue>]>([
    ['another tenant’s device', () => [other.device, other.tenantCa], {}],
    ['another device than the one that is meant', () => [first, all.tenantCa], { deviceId: idOf('c3') }],
  ])('%s that it goes to', async (_who, whose, more) => {
    const cable = wire();
    const [home, away] = [await board(cable, HOME), await board(cable, AWAY)];
    const [as, ca] = whose();
    await listen(home, as, ca);
    expect(await speaks(away, target(second, all.tenantCa, more))).toBe('ServerNotTrusted');
  });
});

describe('while a tenant’s next CA takes over', () => {
  const HOUR = 3_600_000;
  const later = NOW + HOUR;
  const nextOf = async (
    name = 'Test tenant',
    parent = all.intermediate,
  ): Promise<readonly [Identity, Identity]> => {
    const ca = await makeIdentity('tenantCa', name, parent, { now: NOW + HOUR / 2 });
    return [await makeIdentity('device', idOf('c3'), ca, { now: later }), ca];
  };
  /** What a device with one certificate hears from one that listens with another. */
  const meet = async (
    home: readonly [Identity, Identity, ...Identity[]],
    away: readonly [Identity, Identity],
    more: Record<string, PortValue> = {},
  ): Promise<string> => {
    const cable = wire();
    const [listens, comes] = [await board(cable, HOME, later), await board(cable, AWAY, later)];
    const [as, ca, ...former] = home;
    const service = { port: PORT, backlog: 4, ...serviceOf(as, ca, former) };
    const listener = await listens.handle('tlsListen', [service]);
    serve(listens, listener).catch(() => undefined);
    return speaks(comes, target(...away, more));
  };
  const REFUSED = /^(?:ServerNotTrusted|ConnectionLost|HandshakeRefused|nothing)$/;

  it('devices that it has certified and such that it has not yet speak with each other, from either side', async () => {
    const next = await nextOf();
    const former = all.tenantCa.certificate.der;
    const both = { roots: [next[1].certificate.der, former] };
    expect(await meet([first, all.tenantCa], next, both)).toBe('ping');
    expect(await meet([...next, all.tenantCa], [second, all.tenantCa])).toBe('ping');
  });

  it('one of an earlier day counts only where this device had it: it may have been taken back', async () => {
    const next = await nextOf();
    expect(await meet([first, all.tenantCa], next)).toMatch(REFUSED);
    expect(await meet([...next], [second, all.tenantCa])).toMatch(REFUSED);
  });

  it('no other tenant’s passes for it, nor one of the same name from elsewhere', async () => {
    const stranger = await nextOf('Other tenant');
    expect(await meet([...stranger, all.tenantCa], [second, all.tenantCa])).toMatch(REFUSED);
    expect(await meet([first, all.tenantCa], stranger, { roots: [all.tenantCa.certificate.der] })).toMatch(
      REFUSED,
    );
    const forged = await nextOf('Test tenant', other.intermediate);
    expect(await meet([...forged, all.tenantCa], [second, all.tenantCa])).toMatch(REFUSED);
    expect(await meet([first, all.tenantCa], forged, { roots: [all.tenantCa.certificate.der] })).toMatch(
      REFUSED,
    );
  });
});

describe('the port of a device', () => {
  it('answers with the new certificate when the device has one, without being closed', async () => {
    const cable = wire();
    const later = NOW + 25 * 3_600_000;
    const [home, away] = [await board(cable, HOME, later), await board(cable, AWAY, later)];
    const listener = await listen(home, first, all.tenantCa);
    const today = await makeIdentity('device', idOf('b2'), all.tenantCa, { now: later });
    expect(await speaks(away, target(today, all.tenantCa))).toBe('ServerNotTrusted');
    const renewed = await makeIdentity('device', idOf('a1'), all.tenantCa, { now: later });
    await home.handle('tlsRenew', [listener, serviceOf(renewed, all.tenantCa)]);
    const served = serve(home, listener);
    expect(await speaks(away, target(today, all.tenantCa))).toBe('ping');
    expect(await served).toBe(idOf('b2'));
    await expect(home.handle('tlsRenew', [listener, serviceOf(other.device, all.tenantCa)])).resolves.toBe(
      null,
    );
  });

  it('is not held up by peers that say nothing', async () => {
    const network = createBoardNetwork();
    networks.push(network);
    // This machine's own network, which others listen on as well.
    const port = await freePort();
    const listener = await listen(network, first, all.tenantCa, port);
    const silent = Array.from({ length: 4 }, () => connectTcp(port, '127.0.0.1').on('error', () => {}));
    const served = serve(network, listener);
    expect(await speaks(network, target(second, all.tenantCa, { address: 0x7f000001, port }))).toBe('ping');
    expect(await served).toBe(idOf('b2'));
    for (const socket of silent) socket.destroy();
  });

  it('is closed for good', async () => {
    const cable = wire();
    const [home, away] = [await board(cable, HOME), await board(cable, AWAY)];
    const listener = await listen(home, first, all.tenantCa);
    const waiting = home.handle('tlsAccept', [listener]);
    await home.handle('tlsUnlisten', [listener]);
    await expect(waiting).rejects.toMatchObject({ code: 'NetworkClosed' });
    expect(await speaks(away, target(second, all.tenantCa))).toBe('ConnectionRefused');
  });
});
