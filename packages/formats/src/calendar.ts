/*
 * The calendar without a clock: stages run in a realm that has no `Date` (docs/decisions/0001), and certificates must
 * be readable there all the same. Proleptic Gregorian, UTC, no leap seconds, as POSIX counts.
 */

/** A moment to the second, UTC; month and day from 1. */
export interface CalendarTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const DAY = 86_400_000;
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_DAYS = 719_468;
/** 400 years, after which the calendar repeats. */
const ERA_DAYS = 146_097;

/** 2050-01-01T00:00:00Z in ms since 1970: where X.509 changes from UTCTime to GeneralizedTime (RFC 5280 §4.1.2.5). */
export const YEAR_2050: number = daysSinceEpoch(2050, 1, 1) * DAY;

/** Days from 1970-01-01; years are counted from March, so that the leap day is a year's last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * ERA_DAYS + dayOfEra - EPOCH_DAYS;
}

/** Milliseconds since 1970, or null where the calendar has no such moment (the 31st of a short month, hour 24). */
export function calendarToMilliseconds(time: CalendarTime): number | null {
  const { year, month, day, hour, minute, second } = time;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return null;
  const milliseconds = daysSinceEpoch(year, month, day) * DAY + ((hour * 60 + minute) * 60 + second) * 1000;
  return millisecondsToCalendar(milliseconds).day === day ? milliseconds : null;
}

/** The moment `milliseconds` after 1970-01-01T00:00:00Z, to the second below. */
export function millisecondsToCalendar(milliseconds: number): CalendarTime {
  const days = Math.floor(milliseconds / DAY);
  const seconds = Math.floor((milliseconds - days * DAY) / 1000);
  const shifted = days + EPOCH_DAYS;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = ((monthFromMarch + 2) % 12) + 1;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
    hour: Math.floor(seconds / 3600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
  };
}
