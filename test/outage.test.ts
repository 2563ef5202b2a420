import { describe, expect, it } from 'vitest';
import { checkDelay, retryDelay } from '../packages/os/src/services/schedule.ts';
import { Admission, TurnedAway } from '../packages/service/src/attestation/admission.ts';
import { appointment, FLEET_SCHEDULE } from '../packages/service/src/device-port/schedule.ts';
import { seededRandom } from './seeded.ts';

/** Devices that wait while the service is down for a day, and what the service can do a second. */
const DEVICES = 100_000;
const PER_SECOND = 100;
const SECOND = 1000;
const HOUR = 3600 * SECOND;
/** So many tries in a row have failed after a day: the back-off of every device is at its longest. */
const FAILURES_OF_A_DAY = 100;

interface Told {
  /** When the device first reached the service, when its place was, when it was served; ms after the outage. */
  readonly firstTry: number;
  appointment: number | null;
  turnedAway: number;
}

interface Drain {
  /** Attestations in each second since the service came back. */
  readonly served: readonly number[];
  readonly longestWait: number;
  readonly mostTurnedAway: number;
  readonly brokenAppointments: number;
  readonly nextChecks: readonly number[];
}

/** Runs the time after the outage: the device's own back-off against the service's own admission, second by second. */
function drain(): Drain {
  const random = seededRandom('the day after');
  let now = 0;
  const admission = new Admission({ perSecond: PER_SECOND }, { now: () => now });
  const entropy = {
    random: (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
  };
  const due: number[][] = [];
  const plan = (device: number, time: number): void => {
    const second = Math.floor(time / SECOND);
    (due[second] ??= []).push(device);
  };
  const exact = new Float64Array(DEVICES);
  const told: Told[] = [];
  for (let device = 0; device < DEVICES; device++) {
    // Somewhere between two tries of its longest back-off when the service comes back.
    const delay = retryDelay(FAILURES_OF_A_DAY, random(), null);
    exact[device] = random() * delay;
    plan(device, exact[device] ?? 0);
    told.push({ firstTry: exact[device] ?? 0, appointment: null, turnedAway: 0 });
  }
  const served: number[] = [];
  const nextChecks: number[] = [];
  let left = DEVICES;
  let longestWait = 0;
  let mostTurnedAway = 0;
  let brokenAppointments = 0;
  for (let second = 0; left > 0; second++) {
    served[second] = 0;
    const knocking = (due[second] ?? []).toSorted((a, b) => (exact[a] ?? 0) - (exact[b] ?? 0));
    for (const device of knocking) {
      now = exact[device] ?? 0;
      const state = told[device];
      if (state === undefined) continue;
      try {
        admission.admit(String(device));
      } catch (error) {
        if (!(error instanceof TurnedAway)) throw error;
        if (state.appointment !== null && now >= state.appointment) brokenAppointments += 1;
        state.appointment = now + error.retryAfter * SECOND;
        state.turnedAway += 1;
        exact[device] = now + retryDelay(FAILURES_OF_A_DAY, random(), error.retryAfter * SECOND);
        plan(device, exact[device] ?? 0);
        continue;
      }
      served[second] = (served[second] ?? 0) + 1;
      left -= 1;
      longestWait = Math.max(longestWait, now - state.firstTry);
      mostTurnedAway = Math.max(mostTurnedAway, state.turnedAway);
      const seconds = appointment({ schedule: FLEET_SCHEDULE, entropy }, 'attestation');
      nextChecks.push(now + checkDelay(seconds * SECOND, random()));
    }
  }
  return { served, longestWait, mostTurnedAway, brokenAppointments, nextChecks };
}

describe(`${DEVICES} devices after a day without the service`, () => {
  const after = drain();
  const seconds = after.served.length;
  const rate = DEVICES / seconds;

  it('are all served, at 80 % of the peak rate or more', () => {
    const peak = Math.max(...after.served);
    console.log(
      `outage: ${DEVICES} devices drained in ${seconds} s, ${rate.toFixed(1)}/s of ${PER_SECOND}/s admitted ` +
        `(${((100 * rate) / PER_SECOND).toFixed(0)} %), busiest second ${peak}, longest wait ${(after.longestWait / SECOND).toFixed(0)} s`,
    );
    expect(rate).toBeGreaterThanOrEqual(0.8 * PER_SECOND);
    expect(after.served.reduce((sum, count) => sum + count, 0)).toBe(DEVICES);
  });

  it('never exceed the rate for longer than a clock’s tolerance', () => {
    for (let second = 0; second + 10 <= seconds; second++) {
      const ten = after.served.slice(second, second + 10).reduce((sum, count) => sum + count, 0);
      expect(ten).toBeLessThanOrEqual(PER_SECOND * 11);
    }
  });

  it('are turned away once at most, with an appointment that is kept', () => {
    expect(after.brokenAppointments).toBe(0);
    expect(after.mostTurnedAway).toBe(1);
  });

  it('do not starve: nobody waits longer than the whole queue takes', () => {
    expect(after.longestWait).toBeLessThanOrEqual((DEVICES / PER_SECOND + 10) * SECOND);
  });

  it('come back spread over hours, not together again', () => {
    const perMinute = new Map<number, number>();
    for (const time of after.nextChecks) {
      const minute = Math.floor(time / 60_000);
      perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1);
    }
    const most = Math.max(...perMinute.values());
    const even = DEVICES / ((4 * HOUR) / 60_000);
    expect(most).toBeLessThan(1.5 * even);
  });
});
