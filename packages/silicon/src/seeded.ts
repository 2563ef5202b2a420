/** An endless row of bytes from a seed: for fault plans, where speed counts and secrecy does not (xorshift32). */
export interface SeededBytes {
  byte(): number;
  /** A number from 0 to `below` - 1. */
  below(below: number): number;
}

/** Starts the row that belongs to a seed. */
export function seededBytes(seed: number): SeededBytes {
  // Spread neighbouring seeds far apart; a state of 0 would stay 0.
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x6d2b79f5) | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return { byte: () => next() >>> 24, below: (below) => next() % below };
}
