import type { Plan } from './lockstep.ts';

/** What the golden vectors hold: programs of some instructions, and instructions that may go elsewhere. */
export const GOLDEN_PLANS: readonly Plan[] = [
  { seed: 20_261_122, cases: 4000, length: 3 },
  { seed: 7, cases: 1000, length: 1 },
];
