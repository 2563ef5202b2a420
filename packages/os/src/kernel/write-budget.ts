import type { Clock } from '@sevenfold/formats';

/** Bytes of a content that one sector of mutable storage takes. */
const SECTOR_CONTENT = 4048;
/** Sectors that an app may write at once, and ms for each one beyond: sectors last some 100,000 erasures each. */
const BURST = 512;
const MS_A_SECTOR = 10_000;

/** What each app may write to flash: a burst, then as much as the flash bears for years. More has to wait. */
export class WriteBudget {
  readonly #clock: Clock;
  /** Monotonic ms, by component, up to which its writes have used what time gives (GCRA, ITU-T I.371). */
  readonly #usedUpTo = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when a content of `length` bytes may be written. */
  async spend(componentId: string, length: number): Promise<void> {
    const sectors = Math.max(1, Math.ceil(length / SECTOR_CONTENT));
    const now = this.#clock.monotonic();
    const usedUpTo = Math.max(this.#usedUpTo.get(componentId) ?? now, now) + sectors * MS_A_SECTOR;
    this.#usedUpTo.set(componentId, usedUpTo);
    const wait = usedUpTo - now - BURST * MS_A_SECTOR;
    if (wait > 0) await this.#clock.sleep(wait);
  }
}
