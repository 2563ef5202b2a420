import type { Entropy } from '@sevenfold/formats';

/** When devices come back: a window for each reason, seconds from now. */
export interface Schedule {
  /** A trusted device renews its certificates well before the 24 hours are over. */
  readonly attestation: Window;
  /** A device that has to update before it is trusted. */
  readonly remedy: Window;
  /** The next look for updates. */
  readonly plan: Window;
}

/** From `earliest` to `latest`, seconds. */
export interface Window {
  readonly earliest: number;
  readonly latest: number;
}

const HOUR = 3600;

/** The schedule of a fleet in the field. */
export const FLEET_SCHEDULE: Schedule = {
  attestation: { earliest: 12 * HOUR, latest: 16 * HOUR },
  remedy: { earliest: 300, latest: 600 },
  plan: { earliest: 16 * HOUR, latest: 20 * HOUR },
};

/** Seconds until a device should come back: anywhere in the window, so that a fleet does not come at once. */
export function appointment(
  context: { readonly schedule: Schedule; readonly entropy: Entropy },
  reason: keyof Schedule,
): number {
  const { earliest, latest } = context.schedule[reason];
  const [high = 0, low = 0] = context.entropy.random(2);
  return Math.round(earliest + ((latest - earliest) * (high * 256 + low)) / 0xffff);
}
