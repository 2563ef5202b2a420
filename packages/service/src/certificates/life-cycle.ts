/** Where an authority stands in its life (azure-sphere.md §6.3 has the words). */
export type AuthorityStatus =
  /** Made and to be registered at relying parties; issues nothing yet. */
  | 'Inactive'
  /** Issues. */
  | 'Active'
  /** Followed by another, or at its end; what it has issued is good to the end of its own day. */
  | 'Retired'
  /** Taken back: nothing of it counts any more. */
  | 'Revoked';

/** What of an authority decides over its status; moments in ms since 1970. */
export interface Term {
  readonly activeFrom: number;
  readonly notAfter: number;
  readonly revokedAt: number | null;
}

const DAY = 24 * 3_600_000;
/** The next tenant CA is made so long before the end of the one before it … */
export const NEXT_BEFORE_END_MS = 90 * DAY;
/** … and issues so long after it was made: the time in which relying parties register it. */
const ACTIVE_AFTER_MS = 45 * DAY;
/** An authority stops issuing so long before its end that what it issued ends before it. */
const LAST_DAYS_MS = 2 * DAY;

/** The one that issues at `now`: of those whose time has come the latest; null where there is none. */
export function activeOf<T extends Term>(all: readonly T[], now: number): T | null {
  const able = all.filter(
    (one) => one.revokedAt === null && one.activeFrom <= now && now < one.notAfter - LAST_DAYS_MS,
  );
  return able.reduce<T | null>(
    (latest, one) => (latest === null || one.activeFrom > latest.activeFrom ? one : latest),
    null,
  );
}

/** The status of `term` among `all` of its tenant. */
export function statusOf<T extends Term>(term: T, all: readonly T[], now: number): AuthorityStatus {
  if (term.revokedAt !== null) return 'Revoked';
  if (term.activeFrom > now) return 'Inactive';
  return activeOf(all, now) === term ? 'Active' : 'Retired';
}

/** From when on the next authority issues if it is made at `now`; null while it is not yet time to make one. */
export function nextActiveFrom(all: readonly Term[], now: number): number | null {
  const active = activeOf(all, now);
  if (active === null) return now;
  const isThere = all.some((one) => one.revokedAt === null && one.activeFrom > now);
  if (isThere || active.notAfter - now > NEXT_BEFORE_END_MS) return null;
  // Made late (the service was off for weeks): the one before it has to be relieved in time all the same.
  return Math.max(now, Math.min(now + ACTIVE_AFTER_MS, active.notAfter - LAST_DAYS_MS));
}

/** How long the answer of `activeOf` stays what it is. */
export function activeUntil(all: readonly Term[], now: number): number {
  const changes = all
    .filter((one) => one.revokedAt === null)
    .flatMap((one) => [one.activeFrom, one.notAfter - LAST_DAYS_MS])
    .filter((moment) => moment > now);
  return Math.min(...changes, Number.POSITIVE_INFINITY);
}
