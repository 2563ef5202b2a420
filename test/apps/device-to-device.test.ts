import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { createBoardNetwork, PrivateNetwork, type BoardNetwork } from '@sevenfold/os';
import { buildApps, type BuiltApp } from '@sevenfold/sdk';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  makeAuthorities,
  makeIdentity,
  type Authorities,
  type Identity,
} from '../../packages/os/src/board/testing/identities.fixture.ts';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { TENANT } from '../../packages/os/src/kernel/testing/test-app.ts';
import { install, linesOf, newSigner } from './device-apps.ts';

/** What the kernels of these tests have for a time, an hour on. */
const NOW = Date.UTC(2027, 0, 1);
const idOf = (digits: string): string => digits.repeat(32);
const folder = join(import.meta.dirname, '../../examples/device-to-device');
/** Real ms: handshakes take theirs, however busy the machine is. */
const PATIENCE = 50_000;
const OTHER_TENANT = '99999999-2222-4333-8444-555555555555';

let tenant: Authorities;
let other: Authorities;
let server: BuiltApp;
let caller: BuiltApp;
let strict: BuiltApp;
const networks: BoardNetwork[] = [];

beforeAll(async () => {
  const signer = newSigner();
  const withArguments = (...cmdArgs: readonly string[]) => ({
    sourceDir: folder,
    signer,
    manifestOverrides: { cmdArgs },
  });
  const built = await buildApps([
    withArguments('serve', '192.168.100.10'),
    withArguments('call', '192.168.100.11', 'lamp.example'),
    withArguments('call', '192.168.100.11', 'lamp.example', idOf('cc')),
  ]);
  [server, caller, strict] = built as [BuiltApp, BuiltApp, BuiltApp];
  tenant = await makeAuthorities({ now: NOW });
  other = await makeAuthorities({ now: NOW });
});
afterEach(async () => {
  for (const network of networks.splice(0)) await network.close();
});

/** A device on a private network, with the app. */
async function device(privateNetwork: PrivateNetwork, app: BuiltApp): Promise<KernelWorld> {
  const network = createBoardNetwork({
    privateNetwork,
    now: () => NOW + 3_600_000,
    resolve: (host) => (host === 'lamp.example' ? '192.168.100.10' : null),
  });
  networks.push(network);
  const world = await KernelWorld.boot({ network, hasRealTls: true });
  await install(world, app);
  return world;
}

/** Gives a device the certificate that its service would. */
async function certify(
  world: KernelWorld,
  identity: Identity,
  { tenantCa }: Authorities,
  tenantId = TENANT,
): Promise<void> {
  const chain = [identity.certificate.der, tenantCa.certificate.der];
  await world.services('setClientIdentity', { tenantId, chain, key: identity.key.pkcs8 });
}

const said = (world: KernelWorld): readonly string[] => linesOf(world, 'device-to-device');

/** Lets time pass for all of them until one has said what is waited for. */
async function until(worlds: readonly KernelWorld[], pattern: RegExp): Promise<string> {
  const end = performance.now() + PATIENCE;
  while (performance.now() < end) {
    for (const world of worlds) {
      const found = said(world).find((line) => pattern.test(line));
      if (found !== undefined) return found;
      await world.clock.advance(10);
    }
    for (let turns = 0; turns < 10; turns += 1) await turn();
  }
  throw new Error(
    `Nobody said ${String(pattern)}: ${worlds.map((world) => said(world).join(' | ')).join(' || ')}`,
  );
}

describe('two devices of one tenant', () => {
  it('speak with each other, each knowing who the other is', async () => {
    const wire = new PrivateNetwork();
    const first = await device(wire, server);
    const second = await device(wire, caller);
    await certify(first, await makeIdentity('device', idOf('aa'), tenant.tenantCa, { now: NOW }), tenant);
    await until([first], /^waiting for devices$/);
    await certify(second, await makeIdentity('device', idOf('bb'), tenant.tenantCa, { now: NOW }), tenant);
    expect(await until([first, second], /^answer: /)).toBe('answer: lamp is on');
    expect(said(first)).toContain('bbbbbbbb has come');
    expect(said(first)).toContain('bbbbbbbb says lamp?');
  });

  it('speak with the very one that is meant, or not at all', async () => {
    const wire = new PrivateNetwork();
    const first = await device(wire, server);
    const second = await device(wire, strict);
    await certify(first, await makeIdentity('device', idOf('aa'), tenant.tenantCa, { now: NOW }), tenant);
    await until([first], /^waiting for devices$/);
    await certify(second, await makeIdentity('device', idOf('bb'), tenant.tenantCa, { now: NOW }), tenant);
    expect(await until([first, second], /^no answer: /)).toBe('no answer: Protocol error');
  });
});

describe('a device of another tenant', () => {
  it('is refused when it calls', async () => {
    const wire = new PrivateNetwork();
    const first = await device(wire, server);
    const second = await device(wire, caller);
    await certify(first, await makeIdentity('device', idOf('aa'), tenant.tenantCa, { now: NOW }), tenant);
    await until([first], /^waiting for devices$/);
    // Whoever has the other tenant's certificate has told its own kernel that it is this tenant's.
    await certify(second, other.device, other);
    expect(await until([first, second], /^no answer: /)).toMatch(
      /^no answer: (?:hung up|Protocol error|Connection reset)/,
    );
    expect(said(first)).toEqual(['waiting for devices']);
  });

  it('has no app that speaks in this tenant’s name', async () => {
    const wire = new PrivateNetwork();
    const first = await device(wire, server);
    await certify(first, other.device, other, OTHER_TENANT);
    await first.clock.advance(5000);
    expect(new Set(said(first))).toEqual(new Set(['waiting for the certificate']));
  });

  it('is one from the moment that the device changes hands', async () => {
    const wire = new PrivateNetwork();
    const first = await device(wire, server);
    await certify(first, tenant.device, tenant);
    await until([first], /^waiting for devices$/);
    const neighbour = wire.plug('192.168.100.11');
    const listens = (): boolean => {
      try {
        neighbour
          .connect({ address: '192.168.100.10', port: 9443 })
          .on('error', () => {})
          .destroy();
        return true;
      } catch {
        return false;
      }
    };
    expect(listens()).toBe(true);
    await first.services('setClientIdentity', null);
    await first.clock.advance(10);
    expect(listens()).toBe(false);
  });
});
