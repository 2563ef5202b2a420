/** When to come back: pure arithmetic over milliseconds and one random fraction in [0, 1). */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Bounds of what the service may ask for: a lie must neither stop a device from ever asking nor make it flood. */
const SHORTEST_CHECK = 1 * SECOND;
const LONGEST_CHECK = 24 * HOUR;
const FIRST_RETRY = 5 * SECOND;
const LONGEST_RETRY = 15 * MINUTE;
/** While idle, how often the queue of reports is looked at. */
export const REPORT_INTERVAL = 1 * MINUTE;

/** A fraction in [0, 1) from four random bytes. */
export function fractionOf(random: Uint8Array): number {
  let value = 0;
  for (const byte of random.subarray(0, 4)) value = value * 256 + byte;
  return value / 2 ** 32;
}

/** Milliseconds to the next round after a good one: as the service said, at most 5 % (and a minute) later. */
export function checkDelay(askedFor: number, fraction: number): number {
  const wanted = Math.min(LONGEST_CHECK, Math.max(SHORTEST_CHECK, askedFor));
  return Math.round(wanted + fraction * Math.min(wanted * 0.05, MINUTE));
}

/**
 * Milliseconds to the next try after the `failures`-th failure in a row (1, 2, …): doubling, half of it random,
 * so that a fleet does not come back at once. An appointment (`Retry-After`) is kept to the second, however long the
 * silence before it was: the service lives, and holds a place for then. It is no means to make a device knock faster
 * than a first retry would, nor to keep it away for more than a day.
 */
export function retryDelay(failures: number, fraction: number, appointment: number | null): number {
  if (appointment !== null) {
    const kept = Math.min(Math.max(appointment, FIRST_RETRY), LONGEST_CHECK);
    return Math.round(kept + fraction * SECOND);
  }
  const ceiling = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(failures - 1, 16));
  return Math.round(ceiling * (0.5 + fraction / 2));
}

/** When certificates are to be renewed, ms since 1970: after two thirds of their life. */
export function renewalTime(notBefore: number, notAfter: number): number {
  return notBefore + Math.floor(((notAfter - notBefore) * 2) / 3);
}
