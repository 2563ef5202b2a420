/** Contenders alternate A B A B this often; the median of the ratios counts. */
const PAIRS = 7;

/** What alternating gave: the median of `ours / theirs`, and the median of each for the table. */
export interface Compared {
  readonly ratio: number;
  readonly ours: number;
  readonly theirs: number;
}

/** The middle of the sorted values; the mean of the two middle ones where their number is even. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2;
}

/** The value below which `share` (0 … 1) of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Measures both, one after the other, `PAIRS` times, after one unmeasured round of each. */
export async function alternate<T>(
  ours: () => Promise<T>,
  theirs: () => Promise<T>,
): Promise<readonly [T, T][]> {
  const pairs: [T, T][] = [];
  for (let round = 0; round <= PAIRS; round++) {
    const pair: [T, T] = [await ours(), await theirs()];
    // The first round warms both up: compilers, caches, pages.
    if (round > 0) pairs.push(pair);
  }
  return pairs;
}

/** The pairs by one of their figures. */
export function compare<T>(pairs: readonly (readonly [T, T])[], figure: (measured: T) => number): Compared {
  return {
    ratio: median(pairs.map(([ours, theirs]) => figure(ours) / figure(theirs))),
    ours: median(pairs.map(([ours]) => figure(ours))),
    theirs: median(pairs.map(([, theirs]) => figure(theirs))),
  };
}
