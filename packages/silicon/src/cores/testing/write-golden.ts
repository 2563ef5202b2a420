// Writes the golden vectors anew, from programs on which the interpreter and Unicorn agree: what the translator
// makes of them is for the tests to say.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeGolden, encodeGoldenSegments } from './golden.ts';
import { playSegments, segmentDisagreements } from './lockstep-segments.ts';
import { disagreements, play } from './lockstep.ts';
import { GOLDEN_PLANS, GOLDEN_SEGMENTS } from './plans.ts';
import { buildOracle } from './unicorn.ts';

const oracle = buildOracle();
if ('reason' in oracle) throw new Error(oracle.reason);
const folder = join(import.meta.dirname, '..', 'testdata');
mkdirSync(folder, { recursive: true });
for (const [index, plan] of GOLDEN_PLANS.entries()) {
  const played = play(plan, { engine: 'interpreter' });
  const lines = disagreements(played, oracle.path);
  if (lines.length > 0) throw new Error(lines.join('\n'));
  writeFileSync(join(folder, `golden-${index}.bin`), encodeGolden(plan.seed, plan.length, played));
}
for (const [index, plan] of GOLDEN_SEGMENTS.entries()) {
  const played = playSegments(plan, { engine: 'interpreter' });
  const lines = segmentDisagreements(played, oracle.path);
  if (lines.length > 0) throw new Error(lines.join('\n'));
  writeFileSync(join(folder, `golden-segments-${index}.bin`), encodeGoldenSegments(plan, played));
}
