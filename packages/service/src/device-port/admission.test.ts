import { describe, expect, it } from 'vitest';

import { testClock } from '../test-service.ts';
import { Admission, TurnedAway } from './admission.ts';

const outcome = (admission: Admission, device: string): number | 'admitted' => {
  try {
    admission.admit(device);
    return 'admitted';
  } catch (error) {
    if (!(error instanceof TurnedAway)) throw error;
    return error.retryAfter;
  }
};

describe('admission', () => {
  it('lets in as many a second as there are places, and gives the others a time', () => {
    const admission = new Admission({ perSecond: 2 }, testClock());
    expect(['a', 'b', 'c', 'd', 'e'].map((device) => outcome(admission, device))).toEqual([
      'admitted',
      'admitted',
      5,
      5,
      6,
    ]);
    expect(admission.waiting).toBe(3);
  });

  it('keeps each appointment, whoever else comes in that second', () => {
    const clock = testClock();
    const admission = new Admission({ perSecond: 1 }, clock);
    outcome(admission, 'first');
    expect(outcome(admission, 'early')).toBe(5);
    clock.advance(5000);
    expect(outcome(admission, 'stranger')).toBe(5);
    expect(outcome(admission, 'early')).toBe('admitted');
    // It is used up.
    expect(outcome(admission, 'early')).toBe(6);
  });

  it('holds one place for a device, however often it asks', () => {
    const clock = testClock();
    const admission = new Admission({ perSecond: 1 }, clock);
    outcome(admission, 'first');
    expect(outcome(admission, 'eager')).toBe(5);
    clock.advance(2000);
    // The place of the present second is free, and still it waits for its own: nobody gains by asking.
    expect(outcome(admission, 'eager')).toBe(3);
    expect(admission.waiting).toBe(1);
  });

  it('keeps an appointment for one who is late, but not for ever', () => {
    const clock = testClock();
    const admission = new Admission({ perSecond: 1 }, clock);
    const late = (minutes: number): number | 'admitted' => {
      outcome(admission, 'first');
      outcome(admission, 'late');
      clock.advance(5000 + minutes * 60_000);
      outcome(admission, 'somebody');
      return outcome(admission, 'late');
    };
    expect(late(9)).toBe('admitted');
    clock.advance(3_600_000);
    expect(late(11)).toBe(5);
  });

  it('lets a device go on with what it has begun, and no longer than that', () => {
    const clock = testClock();
    const admission = new Admission({ perSecond: 1, goesOnFor: 60_000 }, clock);
    expect(outcome(admission, 'first')).toBe('admitted');
    expect(outcome(admission, 'second')).toBe(5);
    expect(outcome(admission, 'first')).toBe('admitted');
    clock.advance(5000);
    expect([outcome(admission, 'second'), outcome(admission, 'third')]).toEqual(['admitted', 5]);
    clock.advance(54_999);
    expect(outcome(admission, 'first')).toBe('admitted');
    expect(outcome(admission, 'fourth')).toBe('admitted');
    clock.advance(1);
    // Its time is over: it takes a place as any other.
    expect(outcome(admission, 'first')).toBe('admitted');
    expect(outcome(admission, 'fifth')).toBe(5);
  });

  it('promises nothing beyond a day, and forgets what is over', () => {
    const clock = testClock();
    const admission = new Admission({ perSecond: 1 }, clock);
    for (let device = 0; device < 86_500; device++) outcome(admission, String(device));
    expect(outcome(admission, 'one more')).toBe(86_400);
    expect(admission.waiting).toBeLessThanOrEqual(86_400);
    clock.advance(3 * 86_400_000);
    expect(outcome(admission, 'one more')).toBe('admitted');
    expect(admission.waiting).toBe(0);
  });
});
