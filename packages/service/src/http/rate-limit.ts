/** How often something may happen: a bucket of `burst`, filled again at `perSecond`. */
export interface RateLimit {
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  tokens: number;
  time: number;
}

/** Keys that are remembered; the ones that were quiet the longest are forgotten first. */
const MOST_KEYS = 10_000;
/** Of one token. Fractions are summed: who waited as long as they were told is not to be a billionth short. */
const ENOUGH = 1 - 1e-9;

/** Token buckets by key (an address, a principal). Bounded in memory, whoever knocks. */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #clock: { now(): number };
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit, clock: { now(): number }) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Seconds until `key` may go on; 0: now. Takes nothing. */
  wait(key: string): number {
    const { tokens } = this.#filled(key);
    return tokens >= ENOUGH ? 0 : Math.ceil((ENOUGH - tokens) / this.#limit.perSecond);
  }

  /** Counts one more of `key`, or `count` of them. */
  take(key: string, count = 1): void {
    const bucket = this.#filled(key);
    // Deleted first, so that the map is in order of last use.
    this.#buckets.delete(key);
    this.#buckets.set(key, { ...bucket, tokens: Math.max(0, bucket.tokens - count) });
    if (this.#buckets.size <= MOST_KEYS) return;
    for (const quietest of this.#buckets.keys()) {
      this.#buckets.delete(quietest);
      break;
    }
  }

  #filled(key: string): Bucket {
    const time = this.#clock.now();
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return { tokens: this.#limit.burst, time };
    const seconds = Math.max(0, time - bucket.time) / 1000;
    return { tokens: Math.min(this.#limit.burst, bucket.tokens + seconds * this.#limit.perSecond), time };
  }
}
