import { decodeAttestRequest, fromHex, SYSTEM_IMAGE_TYPES, utf8Encode } from '@sevenfold/formats';
import { signWithPkcs8 } from '@sevenfold/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Chip } from '../bench/identity/chip.ts';
import { checkDelay, retryDelay } from '../packages/os/src/services/schedule.ts';
import { attestDevice } from '../packages/service/src/attestation/attest-device.ts';
import { Admission, TurnedAway } from '../packages/service/src/device-port/admission.ts';
import { appointment, FLEET_SCHEDULE } from '../packages/service/src/device-port/schedule.ts';
import {
  openDeviceWorld,
  type DeviceWorld,
} from '../packages/service/src/device-port/testing/device-world.fixture.ts';
import { importBatch } from '../packages/service/src/manufacturing/import-batch.ts';
import { claimDevice } from '../packages/service/src/registry/claim-device.ts';
import { planForDevice } from '../packages/service/src/updates/plan-for-device.ts';
import { depth, seededRandom } from './seeded.ts';

/** Devices that wait while the service is down for a day, and what the service can do a second. */
const DEVICES = 100_000;
const PER_SECOND = 100;
const SECOND = 1000;
const HOUR = 3600 * SECOND;
/** So many tries in a row have failed after a day: the back-off of every device is at its longest. */
const FAILURES_OF_A_DAY = 100;
/**
 * Every so-manieth device has a chip with keys of its own: it attests with a fresh token at each try and asks for its
 * plan, by the real verbs over the real store. The others only knock, at the same admission. With SEVENFOLD_DEPTH above
 * 1 every device is such a one.
 */
const REAL_ONE_IN = depth() > 1 ? 1 : 50;
/** Lines of one batch of endorsements. */
const BATCH = 1000;

type Step = 'attest' | 'plan';

interface Device {
  readonly id: string;
  readonly chip: Chip | null;
  step: Step;
  /** When it comes next; ms after the outage. */
  time: number;
  /** When it first came for this step, and the place that it was given; ms. */
  firstTry: number;
  appointment: number | null;
  turnedAway: number;
}

/** What became of one step. */
interface Drain {
  /** Devices served in each second since the service came back. */
  readonly served: number[];
  longestWait: number;
  mostTurnedAway: number;
  brokenAppointments: number;
}

const emptyDrain = (): Drain => ({ served: [], longestWait: 0, mostTurnedAway: 0, brokenAppointments: 0 });

let world: DeviceWorld;
const drains: Readonly<Record<Step, Drain>> = { attest: emptyDrain(), plan: emptyDrain() };
const nextChecks: number[] = [];
let attested = 0;
let planned = 0;

/** Endorsed and claimed chips, by the verbs that their maker and their owner have. */
async function makeChips(count: number): Promise<readonly Chip[]> {
  const { images } = await world.publish('26.11.0');
  const running = SYSTEM_IMAGE_TYPES.flatMap((type) =>
    images
      .filter(({ imageType }) => imageType === type)
      .map(({ imageType, name, securityVersion, digest }) => {
        const { signerId } = world;
        return { imageType, name, securityVersion, digest: fromHex(digest), signerId };
      }),
  );
  const chips = Array.from({ length: count }, () => new Chip(running));
  for (let start = 0; start < count; start += BATCH) {
    const part = chips.slice(start, start + BATCH);
    const lines = utf8Encode(
      part
        .map(({ deviceId, spki }) => {
          return `${JSON.stringify({ deviceId, spki: Buffer.from(spki).toString('base64'), chipSku: 1 })}\n`;
        })
        .join(''),
    );
    const signature = signWithPkcs8(world.makerKey.pkcs8, lines);
    await importBatch(world.service, { makerId: world.makerId, lines, signature });
    const { tenantId, deviceGroupId } = world;
    await Promise.all(
      part.map(({ deviceId }) => claimDevice(world.service, tenantId, { deviceId, deviceGroupId })),
    );
  }
  return chips;
}

/** Runs the time after the outage, second by second: the devices' own back-off against the service's own verbs. */
async function drain(): Promise<void> {
  const { service, authorities } = world;
  const random = seededRandom('the day after');
  const chips = await makeChips(Math.ceil(DEVICES / REAL_ONE_IN));
  const began = service.clock.now();
  const limit = { perSecond: PER_SECOND };
  const admissions = {
    attest: new Admission(limit, service.clock),
    plan: new Admission(limit, service.clock),
  };
  const context = { ...service, authorities, schedule: FLEET_SCHEDULE, admission: admissions.attest };
  const due: Device[][] = [];
  const comeAt = (device: Device, time: number): void => {
    device.time = time;
    (due[Math.floor(time / SECOND)] ??= []).push(device);
  };

  /** Answers in how many seconds the device should attest again. */
  const attest = async ({ id, chip }: Device): Promise<number> => {
    if (chip === null) {
      admissions.attest.admit(id);
      return appointment(context, 'attestation');
    }
    const exporter = service.entropy.random(32);
    const request = decodeAttestRequest(chip.attestation(exporter));
    const reply = await attestDevice(context, request, () => exporter);
    expect([reply.deviceId, reply.verdict, reply.clientChain?.length]).toEqual([id, 'trusted', 3]);
    attested += 1;
    return reply.nextCheck;
  };
  const plan = async ({ id, chip }: Device): Promise<void> => {
    admissions.plan.admit(id);
    if (chip === null) return;
    const request = { nonce: service.entropy.random(32), images: [], osVersion: '26.11.0', failures: [] };
    expect((await planForDevice(context, id, request)).length).toBeGreaterThan(100);
    planned += 1;
  };

  const waiting = { count: DEVICES };
  const step = async (device: Device, second: number, now: number): Promise<void> => {
    const of = drains[device.step];
    try {
      if (device.step === 'attest') {
        const nextCheck = await attest(device);
        nextChecks.push(now + checkDelay(nextCheck * SECOND, random()));
      } else {
        await plan(device);
      }
    } catch (error) {
      if (!(error instanceof TurnedAway)) throw error;
      if (device.appointment !== null && now >= device.appointment) of.brokenAppointments += 1;
      device.appointment = now + error.retryAfter * SECOND;
      device.turnedAway += 1;
      comeAt(device, device.time + retryDelay(FAILURES_OF_A_DAY, random(), error.retryAfter * SECOND));
      return;
    }
    of.served[second] = (of.served[second] ?? 0) + 1;
    of.longestWait = Math.max(of.longestWait, now - device.firstTry);
    of.mostTurnedAway = Math.max(of.mostTurnedAway, device.turnedAway);
    if (device.step === 'plan') {
      waiting.count -= 1;
      return;
    }
    // As its round goes on: with its certificate it asks for its plan.
    Object.assign(device, { step: 'plan', firstTry: now, appointment: null, turnedAway: 0 });
    await step(device, second, now);
  };

  for (let number = 0; number < DEVICES; number++) {
    const chip = number % REAL_ONE_IN === 0 ? (chips[number / REAL_ONE_IN] ?? null) : null;
    const id = chip?.deviceId ?? `${number}`;
    // Somewhere between two tries of its longest back-off when the service comes back.
    const firstTry = Math.floor(random() * retryDelay(FAILURES_OF_A_DAY, random(), null));
    const device: Device = { id, chip, step: 'attest', time: 0, firstTry, appointment: null, turnedAway: 0 };
    comeAt(device, firstTry);
  }
  for (let second = 0; waiting.count > 0; second++) {
    const now = second * SECOND;
    service.clock.advance(began + now - service.clock.now());
    const knocking = (due[second] ?? []).toSorted((a, b) => a.time - b.time);
    // They come within one second, so the service has them all at once.
    await Promise.all(knocking.map((device) => step(device, second, now)));
    due[second] = [];
  }
}

beforeAll(async () => {
  world = await openDeviceWorld();
  await drain();
}, 1_800_000);
afterAll(() => world.close());

describe(`${DEVICES} devices after a day without the service`, () => {
  it('attest with real tokens, each with keys of its own, as far as they are sampled', () => {
    const real = Math.ceil(DEVICES / REAL_ONE_IN);
    expect([attested, planned]).toEqual([real, real]);
    console.log(
      `outage: ${real} of ${DEVICES} devices with real tokens and plans (all with SEVENFOLD_DEPTH=2)`,
    );
  });

  describe.each(['attest', 'plan'] as const)('to %s', (step) => {
    const of = drains[step];

    it('are all served, at 80 % of the peak rate or more', () => {
      const first = of.served.findIndex((count) => (count ?? 0) > 0);
      const seconds = of.served.length - first;
      const rate = DEVICES / seconds;
      const peak = of.served.reduce((most, count) => Math.max(most, count ?? 0), 0);
      console.log(
        `outage, ${step}: ${DEVICES} devices drained in ${seconds} s, ${rate.toFixed(1)}/s of ${PER_SECOND}/s admitted ` +
          `(${((100 * rate) / PER_SECOND).toFixed(0)} %), busiest second ${peak}, longest wait ${(of.longestWait / SECOND).toFixed(0)} s`,
      );
      expect(rate).toBeGreaterThanOrEqual(0.8 * PER_SECOND);
      expect(of.served.reduce((sum, count) => sum + (count ?? 0), 0)).toBe(DEVICES);
    });

    it('never exceed the rate for longer than a clock’s tolerance', () => {
      for (let second = 0; second + 10 <= of.served.length; second++) {
        const ten = of.served.slice(second, second + 10).reduce((sum, count) => sum + (count ?? 0), 0);
        expect(ten).toBeLessThanOrEqual(PER_SECOND * 11);
      }
    });

    it('are turned away once at most, with an appointment that is kept', () => {
      expect(of.brokenAppointments).toBe(0);
      expect(of.mostTurnedAway).toBeLessThanOrEqual(1);
    });

    it('do not starve: nobody waits longer than the whole queue takes', () => {
      expect(of.longestWait).toBeLessThanOrEqual((DEVICES / PER_SECOND + 10) * SECOND);
    });
  });

  it('come back spread over hours, not together again', () => {
    const perMinute = new Map<number, number>();
    for (const time of nextChecks) {
      const minute = Math.floor(time / 60_000);
      perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1);
    }
    const most = Math.max(...perMinute.values());
    const even = DEVICES / ((4 * HOUR) / 60_000);
    expect(most).toBeLessThan(1.5 * even);
  });
});
