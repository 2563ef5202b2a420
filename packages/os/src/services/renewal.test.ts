import { DEVICE_PATHS } from '@sevenfold/formats';
import { generateKeyPair } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import { problem } from './testing/device-service.ts';
import { createTestDevice } from './testing/test-device.ts';
import { NOW, useWorld } from './testing/world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const world = useWorld();

describe('certificates of a device', () => {
  it('are renewed at two thirds of their life, however late the service wants to see it', async () => {
    world.service.behaviour.attestNextCheck = 30 * 24 * 3600;
    world.service.behaviour.planNextCheck = 24 * 3600;
    const { nextCheck } = await world.bootAndCheck();
    const wait = nextCheck - world.device.clock.now();
    expect(wait).toBeGreaterThan(15 * HOUR);
    expect(wait).toBeLessThanOrEqual(16 * HOUR + 60_000);
  });

  it('are renewed as early as the service says, so that it can spread its fleet', async () => {
    world.service.behaviour.attestNextCheck = 3600;
    world.service.behaviour.planNextCheck = 24 * 3600;
    const { nextCheck } = await world.bootAndCheck();
    const wait = nextCheck - world.device.clock.now();
    expect(wait).toBeGreaterThan(0.9 * HOUR);
    expect(wait).toBeLessThanOrEqual(HOUR + 60_000);
  });

  it('stay in use while the service is down, and are renewed when it is back', async () => {
    await world.bootAndCheck();
    const before = world.device.memory.identities.at(-1);
    expect(before).not.toBeNull();
    for (const answer of [problem(503, 'CertificateUnavailable', 'Later.', 60), 'cut'] as const) {
      world.service.behaviour.instead = () => answer;
      expect(await world.device.gateway('checkNow')).toMatchObject({ phase: 'offline' });
      expect(world.device.memory.identities.at(-1)).toBe(before);
    }
    world.service.behaviour.instead = () => null;
    expect(await world.device.gateway('checkNow')).toMatchObject({ phase: 'idle', lastError: null });
    expect(world.device.memory.identities.at(-1)).not.toBe(before);
  });

  it('are asked for again at the appointment that a busy service gave', async () => {
    world.service.behaviour.instead = () => problem(429, 'TooManyRequests', 'A place is held.', 700);
    const { nextCheck } = await world.bootAndCheck();
    const wait = nextCheck - world.device.clock.now();
    expect(wait).toBeGreaterThan(690_000);
    expect(wait).toBeLessThanOrEqual(701_000);
  });
});

describe('an appointment for a plan', () => {
  const isPlan = (path: string): boolean => path === DEVICE_PATHS.plan;
  /** Runs until the service has been asked for so many plans. */
  const roundsUntil = async (plans: number): Promise<void> => {
    const asked = (): number =>
      world.service.received.requests.filter((one) => one.includes(DEVICE_PATHS.plan)).length;
    await expect.poll(asked).toBe(plans);
  };

  it('is waited for with the certificates that are there: it does not make the queue longer', async () => {
    world.service.behaviour.instead = (path) =>
      isPlan(path) ? problem(429, 'TooManyRequests', 'A place is held.', 700) : null;
    const { nextCheck } = await world.bootAndCheck();
    const { attestations } = world.service.received;
    const before = world.service.received.requests.filter((one) => one.includes(DEVICE_PATHS.plan)).length;
    expect(nextCheck - world.device.clock.now()).toBeGreaterThan(690_000);
    world.service.behaviour.instead = () => null;
    world.device.clock.advance(701_001);
    await roundsUntil(before + 1);
    expect(world.service.received.attestations).toBe(attestations);
  });

  it('is not what a refusal is: after that the device attests anew', async () => {
    world.service.behaviour.instead = (path) =>
      isPlan(path) ? problem(403, 'UpdateCertificateRequired', 'Not with this one.') : null;
    await world.bootAndCheck();
    const { attestations } = world.service.received;
    const before = world.service.received.requests.filter((one) => one.includes(DEVICE_PATHS.plan)).length;
    world.service.behaviour.instead = () => null;
    world.device.clock.advance(900_001);
    await roundsUntil(before + 1);
    expect(world.service.received.attestations).toBe(attestations + 1);
  });
});

describe('a device that lay in a drawer', () => {
  const wakeAt = async (startTime: number) => {
    const attestationKey = generateKeyPair();
    world.service.endorse(attestationKey.spki);
    const { certStore, planKey } = world.service;
    const device = createTestDevice({ attestationKey, certStore, planSpki: planKey.spki, startTime });
    await device.boot();
    const status = await device.gateway('checkNow');
    const drift = device.clock.now() - world.service.now;
    await device.close();
    return { status, drift };
  };

  it.each([
    ['for two hundred days, its clock standing still', NOW - 200 * DAY],
    ['until its clock had forgotten the year', 0],
    ['with a clock that ran ahead by years', NOW + 1000 * DAY],
  ])('%s, has the time and certificates of now at once', async (_what, startTime) => {
    const { status, drift } = await wakeAt(startTime);
    expect(status).toMatchObject({ phase: 'idle', verdict: 'trusted', lastError: null });
    expect(Math.abs(drift)).toBeLessThan(5000);
    expect(status.clientChain.length).toBeGreaterThan(0);
  });

  it('whose release is too old by now, is updated first and gets no client certificate', async () => {
    world.service.behaviour.verdict = 'outdated';
    world.service.behaviour.reasons = [
      'Services was acceptable until last spring and must be updated first.',
    ];
    const { status } = await wakeAt(NOW - 200 * DAY);
    expect(status).toMatchObject({ phase: 'idle', verdict: 'outdated', clientChain: [] });
    expect(status.updateChain.length).toBeGreaterThan(0);
  });
});
