import { assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calendarToMilliseconds, millisecondsToCalendar, YEAR_2050 } from './calendar.ts';

describe('the calendar without a clock', () => {
  it('agrees with the language’s own over four millennia, both ways', () => {
    const moment = integer({ min: -62_135_596_800, max: 64_060_588_799 });
    assert(
      property(moment, (seconds) => {
        const date = new Date(seconds * 1000);
        const parts = {
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
          hour: date.getUTCHours(),
          minute: date.getUTCMinutes(),
          second: date.getUTCSeconds(),
        };
        expect(millisecondsToCalendar(seconds * 1000)).toEqual(parts);
        expect(calendarToMilliseconds(parts)).toBe(seconds * 1000);
      }),
      { numRuns: 5000, seed: 1 },
    );
    expect(YEAR_2050).toBe(Date.UTC(2050, 0, 1));
  });

  it.each([
    [
      'the 29th of February in a common year',
      { year: 2026, month: 2, day: 29, hour: 0, minute: 0, second: 0 },
    ],
    ['the 29th of February 1900', { year: 1900, month: 2, day: 29, hour: 0, minute: 0, second: 0 }],
    ['the 31st of April', { year: 2026, month: 4, day: 31, hour: 0, minute: 0, second: 0 }],
    ['month 0', { year: 2026, month: 0, day: 1, hour: 0, minute: 0, second: 0 }],
    ['month 13', { year: 2026, month: 13, day: 1, hour: 0, minute: 0, second: 0 }],
    ['hour 24', { year: 2026, month: 1, day: 1, hour: 24, minute: 0, second: 0 }],
    ['second 60', { year: 2026, month: 1, day: 1, hour: 0, minute: 0, second: 60 }],
  ])('has no %s', (_, time) => {
    expect(calendarToMilliseconds(time)).toBeNull();
  });
});
