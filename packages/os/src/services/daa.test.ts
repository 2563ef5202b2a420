import { toHex } from '@sevenfold/formats';
import { generateKeyPair, parseCertificate } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import { problem, startDeviceService, type TestDeviceService } from './testing/device-service.ts';
import { createTestDevice } from './testing/test-device.ts';
import { APP, NOW, useWorld } from './testing/world.ts';

const world = useWorld();

describe('attestation', () => {
  it('brings certificates for keys of this device, bound to the very connection', async () => {
    const status = await world.bootAndCheck();
    expect(status).toMatchObject({
      deviceId: world.device.deviceId,
      osVersion: '26.11.0',
      verdict: 'trusted',
      tenantId: world.service.tenantId,
      lastError: null,
      phase: 'idle',
    });
    const leaf = parseCertificate(status.clientChain[0] ?? new Uint8Array());
    const update = parseCertificate(status.updateChain[0] ?? new Uint8Array());
    expect(toHex(leaf.spki)).not.toBe(toHex(update.spki));
    expect(world.device.memory.identities.at(-1)).toMatchObject({
      tenantId: world.service.tenantId,
      chain: status.clientChain,
    });
    expect(world.service.received.attestations).toBeGreaterThan(0);
  });

  it('leaves no key of a certificate inside Pluton and shows none to the gateway', async () => {
    const status = await world.bootAndCheck();
    expect(world.device.memory.sessionKeys.size).toBe(0);
    const identity = world.device.memory.identities.at(-1) as { key: Uint8Array };
    const shown = JSON.stringify(status, (_, value: unknown) =>
      value instanceof Uint8Array ? toHex(value) : value,
    );
    expect(shown).not.toContain(toHex(identity.key).slice(20, 80));
  });

  it('gives apps no certificate while the device is not trusted, and still updates it', async () => {
    world.service.behaviour.verdict = 'outdated';
    world.service.behaviour.reasons = ['the OS release 26.10.0 must be 26.11.0'];
    world.publish(APP, 5);
    const status = await world.bootAndCheck();
    expect(status).toMatchObject({
      verdict: 'outdated',
      reasons: ['the OS release 26.10.0 must be 26.11.0'],
      clientChain: [],
      phase: 'idle',
    });
    expect(world.device.memory.identities.every((identity) => identity === null)).toBe(true);
    expect(world.device.memory.images).toHaveLength(1);

    world.service.behaviour.verdict = 'trusted';
    expect((await world.device.gateway('checkNow')).clientChain).toHaveLength(2);
    world.service.behaviour.verdict = 'revoked';
    expect((await world.device.gateway('checkNow')).clientChain).toEqual([]);
    expect(world.device.memory.identities.at(-1)).toBeNull();
  });

  it('uses keys that were not certified again, so that Pluton’s slots do not run out', async () => {
    world.service.behaviour.instead = () => problem(503, 'Busy', 'Later.', 30);
    await world.device.boot();
    for (let count = 0; count < 5; count++) await world.device.gateway('checkNow');
    expect(world.device.memory.sessionKeys.size).toBe(2);
  });

  it('sets the clock by the service when it is wrong, and only then', async () => {
    await world.bootAndCheck();
    expect(world.device.memory.events).not.toContain('setTime');
    world.service.now = NOW + 3_600_000;
    await world.device.gateway('checkNow');
    expect(world.device.memory.events).toContain('setTime');
    expect(Math.abs(world.device.clock.now() - world.service.now)).toBeLessThan(5000);
  });

  const lies: readonly (readonly [string, (s: TestDeviceService) => void, string])[] = [
    [
      'another device’s reply',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, deviceId: 'ab'.repeat(32) })),
      'deviceId',
    ],
    [
      'an update certificate for another key',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, updateChain: r.clientChain ?? [] })),
      'updateChain',
    ],
    [
      'a client certificate for another key',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, clientChain: r.updateChain })),
      'clientChain',
    ],
    [
      'a client certificate without trust',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, verdict: 'outdated' })),
      'clientChain',
    ],
    [
      'a client certificate without a tenant',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, tenantId: null })),
      'tenantId',
    ],
    [
      'a certificate of yesterday',
      (s) => (s.behaviour.attestReply = (r) => ({ ...r, time: r.time + 2 * 86_400 })),
      'updateChain',
    ],
  ];
  it.each(lies)('refuses %s', async (_what, lie, field) => {
    lie(world.service);
    const status = await world.bootAndCheck();
    expect(status).toMatchObject({ phase: 'offline', verdict: null, clientChain: [], updateChain: [] });
    expect(status.lastError).toContain(`BadAttestReply`);
    expect(status.lastError).toContain(field);
    expect(world.device.memory.identities).toEqual([]);
  });

  it('refuses a service that cannot prove who it is', async () => {
    const stranger = await startDeviceService(NOW);
    const fooled = createTestDevice({
      attestationKey: generateKeyPair(),
      certStore: { endpoints: stranger.certStore.endpoints, tlsRoots: world.service.certStore.tlsRoots },
      planSpki: world.service.planKey.spki,
      startTime: NOW,
    });
    await fooled.boot();
    expect((await fooled.gateway('checkNow')).lastError).toContain('ServerNotTrusted');
    expect(stranger.received.requests).toEqual([]);
    await fooled.close();
    await stranger.close();
  });

  it('goes to the next endpoint when one is down', async () => {
    const [endpoint] = world.service.certStore.endpoints;
    const other = createTestDevice({
      attestationKey: generateKeyPair(),
      certStore: {
        tlsRoots: world.service.certStore.tlsRoots,
        endpoints: [
          { host: 'gone.example', port: 9, serverName: 'gone.example' },
          ...(endpoint ? [endpoint] : []),
        ],
      },
      planSpki: world.service.planKey.spki,
      startTime: NOW,
    });
    await other.boot();
    expect((await other.gateway('checkNow')).lastError).toContain('UnknownDevice');
    await other.close();
  });
});
