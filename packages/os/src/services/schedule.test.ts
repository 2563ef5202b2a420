import { describe, expect, it } from 'vitest';
import { checkDelay, fractionOf, renewalTime, retryDelay } from './schedule.ts';

describe('when a device comes back', () => {
  it('is when the service said, and never much later', () => {
    expect(checkDelay(3_600_000, 0)).toBe(3_600_000);
    expect(checkDelay(3_600_000, 0.999)).toBeLessThanOrEqual(3_660_000);
    expect(checkDelay(10_000, 0.5)).toBe(10_250);
  });

  it('is within a day and not at once, whatever the service says', () => {
    expect(checkDelay(Number.MAX_SAFE_INTEGER, 0)).toBe(86_400_000);
    expect(checkDelay(0, 0)).toBe(1000);
  });

  it('doubles after failures up to a quarter of an hour', () => {
    expect([1, 2, 3, 4].map((failures) => retryDelay(failures, 0, null))).toEqual([
      2500, 5000, 10_000, 20_000,
    ]);
    expect(retryDelay(1000, 0.999_999, null)).toBeLessThanOrEqual(900_000);
  });

  it('spreads a fleet over half of the time after an outage', () => {
    expect(retryDelay(8, 0, null)).toBe(retryDelay(8, 0.999_999_9, null) / 2);
  });

  it('keeps an appointment, but not one beyond a day', () => {
    expect(retryDelay(1, 0, 120_000)).toBe(120_000);
    expect(retryDelay(1, 0, 1e12)).toBe(86_400_000);
    expect(retryDelay(50, 0, 60_000)).toBe(60_000);
    expect(retryDelay(50, 0.999, 60_000)).toBeLessThanOrEqual(61_000);
  });

  it('cannot be made to knock faster by a service that says so', () => {
    expect(retryDelay(5, 0, 1000)).toBe(5000);
    expect(retryDelay(1, 0, 0)).toBe(5000);
  });

  it('renews certificates after two thirds of their life', () => {
    expect(renewalTime(0, 86_400_000)).toBe(57_600_000);
  });

  it('makes a fraction from random bytes', () => {
    expect(fractionOf(Uint8Array.of(0, 0, 0, 0))).toBe(0);
    expect(fractionOf(Uint8Array.of(0x80, 0, 0, 0))).toBe(0.5);
    expect(fractionOf(Uint8Array.of(255, 255, 255, 255))).toBeLessThan(1);
  });
});
