import type { SegmentPlan } from './lockstep-segments.ts';
import type { Plan } from './lockstep.ts';

/** What the golden vectors hold: programs of some instructions, and instructions that may go elsewhere. */
export const GOLDEN_PLANS: readonly Plan[] = [
  { seed: 20_261_122, cases: 4000, length: 3 },
  { seed: 7, cases: 1000, length: 1 },
];

/** And, for both engines, programs that branch and go round, and such that jump to anywhere. */
export const GOLDEN_SEGMENTS: readonly SegmentPlan[] = [
  { seed: 20_261_123, isElsewhere: false, rounds: 2 },
  { seed: 20_261_124, isElsewhere: true, rounds: 1 },
];
