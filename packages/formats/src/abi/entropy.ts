/** Where random bytes come from: a parameter, so that a whole system can run from a seed in tests. */
export interface Entropy {
  /** `length` fresh bytes (0 … 65536). Fit for keys and serial numbers wherever the product runs. */
  random(length: number): Uint8Array;
}
