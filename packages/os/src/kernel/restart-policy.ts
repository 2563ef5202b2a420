/** Ms before the first restart, and before any. */
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 5 * 60 * 1000;
/** An app that ran so many ms is taken to have recovered: its next death is a first one. */
export const STABLE_UPTIME = 60 * 1000;

/** Deaths in a row after this one. */
export function deathsInARow(before: number, uptime: number): number {
  return uptime >= STABLE_UPTIME ? 1 : before + 1;
}

/** Ms to wait before a restart after `deaths` deaths in a row: doubles each time, up to five minutes. */
export function restartDelay(deaths: number): number {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(30, Math.max(0, deaths - 1)));
}
