import { performance } from 'node:perf_hooks';
import { SevenfoldError } from '@sevenfold/formats';
import { expect } from 'vitest';
import { mutate, seededRandom } from '../../packages/formats/src/testing/strictness.ts';

/** Mutants of some good bytes: every byte changed, every truncation, and thousands that follow from a seed. */
export function mutantsOf(good: Uint8Array, seeded: number): readonly Uint8Array[] {
  const mutants: Uint8Array[] = [];
  for (let at = 0; at < good.length; at++) {
    for (const change of [0xff, 0x01, 0x80]) {
      mutants.push(Uint8Array.from(good, (byte, index) => (index === at ? byte ^ change : byte)));
    }
    mutants.push(good.slice(0, at));
  }
  const random = seededRandom(3);
  for (let count = 0; count < seeded; count++) {
    let mutant = mutate(good, random);
    if (random(3) === 0) mutant = mutate(mutant, random);
    mutants.push(mutant);
  }
  return mutants.filter((mutant) => Buffer.compare(mutant, good) !== 0);
}

/** What became of many hostile inputs. */
export interface Trial {
  readonly tried: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly accepted: readonly Uint8Array[];
  /** Milliseconds. */
  readonly median: number;
  readonly slowest: number;
}

/** Tries each input; whatever is thrown but a typed refusal is a crash, and fails the test. */
export function tryAll(inputs: readonly Uint8Array[], use: (input: Uint8Array) => void): Trial {
  const refused: Record<string, number> = {};
  const accepted: Uint8Array[] = [];
  const costs: number[] = [];
  for (const input of inputs) {
    const { cost, code } = timed(input, use);
    costs.push(cost);
    if (code === null) accepted.push(input);
    else refused[code] = (refused[code] ?? 0) + 1;
  }
  const median = costs.toSorted((a, b) => a - b)[Math.floor(costs.length / 2)] ?? 0;
  // Other work of the machine makes single runs slow: an input is as costly as the best of several runs.
  const suspects = inputs.filter((_, index) => (costs[index] ?? 0) > 10 * median);
  const again = suspects.map((input) => Math.min(...Array.from({ length: 5 }, () => timed(input, use).cost)));
  const calm = costs.filter((cost) => cost <= 10 * median);
  return { tried: inputs.length, refused, accepted, median, slowest: Math.max(...calm, ...again) };
}

function timed(
  input: Uint8Array,
  use: (input: Uint8Array) => void,
): { readonly cost: number; readonly code: string | null } {
  const start = performance.now();
  try {
    use(input);
    return { cost: performance.now() - start, code: null };
  } catch (error) {
    if (!(error instanceof SevenfoldError)) throw error;
    return { cost: performance.now() - start, code: error.code };
  }
}

/** Says what was tried, and that nothing cost more than a generous multiple of what the others cost. */
export function report(what: string, trial: Trial): void {
  const codes = Object.keys(trial.refused).length;
  console.log(
    `${what}: ${trial.tried} tried, ${trial.tried - trial.accepted.length} refused with ${codes} codes, ` +
      `median ${(trial.median * 1000).toFixed(0)} µs, slowest ${trial.slowest.toFixed(2)} ms`,
  );
  expect(trial.slowest).toBeLessThan(Math.max(100 * trial.median, 10));
}
