import { createHash } from 'node:crypto';
import { refusal } from './request-token.ts';

/** Tokens that are remembered at once; the rate of requests keeps it far below. The oldest are forgotten first. */
const MOST_TOKENS = 100_000;

/**
 * Tokens of requests for a change, each good once: whoever overhears one cannot have the change made again. Kept in
 * memory for as long as a token may live.
 */
export class SpentTokens {
  /** Until when, by digest; in the order in which they came. */
  readonly #until = new Map<string, number>();
  readonly #clock: { now(): number };

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  /** Spends a token whose signature holds. `until`: when it is over anyway, ms since 1970. `Unauthenticated` the second time. */
  spend(token: string, until: number): void {
    // What was signed, not the signature: an ECDSA signature can be written in two ways.
    const signed = token.slice(0, token.lastIndexOf('.'));
    const digest = createHash('sha256').update(signed).digest('base64');
    if (this.#until.has(digest))
      throw refusal('a token for a change is good once: each has its own jti', 'jti');
    this.#forget();
    this.#until.set(digest, until);
  }

  #forget(): void {
    const now = this.#clock.now();
    for (const [digest, until] of this.#until) {
      if (until >= now && this.#until.size < MOST_TOKENS) return;
      this.#until.delete(digest);
    }
  }
}
