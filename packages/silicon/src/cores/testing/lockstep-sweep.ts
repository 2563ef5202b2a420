// Runs random segments beside Unicorn on both engines, and prints how many instructions of each encoding agreed:
// `node lockstep-sweep.ts [instructions of each engine] [first seed]`.
import { playSegments, segmentDisagreements, type PlayedSegments } from './lockstep-segments.ts';
import { buildOracle } from './unicorn.ts';

type Engine = 'interpreter' | 'jit';

/** What has been compared so far. */
interface Total {
  instructions: number;
  interpreted: number;
  entries: number;
  faults: number;
  rewrites: number;
  endless: number;
  readonly counts: Map<string, number>;
  readonly disagreements: string[];
}

/** Of every eleven instructions one is of segments that jump to anywhere. */
const ELSEWHERE_EVERY = 6;
const ROUNDS = { inside: 64, elsewhere: 24 };

function addTo(total: Total, played: PlayedSegments): void {
  total.instructions += played.instructions;
  total.interpreted += played.interpreted;
  total.entries += played.entered.length;
  total.faults += played.entered.filter(({ isWhole }) => !isWhole).length;
  total.rewrites += played.rewrites;
  total.endless += played.endless;
  for (const [name, count] of played.counts) total.counts.set(name, (total.counts.get(name) ?? 0) + count);
}

function sweep(engine: Engine, most: number, firstSeed: number, oracle: string): Total {
  const total: Total = {
    instructions: 0,
    interpreted: 0,
    entries: 0,
    faults: 0,
    rewrites: 0,
    endless: 0,
    counts: new Map(),
    disagreements: [],
  };
  for (let seed = firstSeed; total.instructions < most; seed++) {
    const isElsewhere = seed % ELSEWHERE_EVERY === 0;
    const rounds = isElsewhere ? ROUNDS.elsewhere : ROUNDS.inside;
    const played = playSegments({ seed, isElsewhere, rounds }, { engine, hotAfter: 0 });
    addTo(total, played);
    const lines = segmentDisagreements(played, oracle);
    for (const line of lines) process.stderr.write(`${engine}, seed ${seed}: ${line}\n`);
    total.disagreements.push(...lines);
  }
  return total;
}

const oracle = buildOracle();
if ('reason' in oracle) throw new Error(oracle.reason);
const [most = 10_000_000, firstSeed = 1] = process.argv.slice(2).map(Number);
const totals = (['jit', 'interpreter'] as const).map((engine) => {
  const total = sweep(engine, most, firstSeed, oracle.path);
  const { instructions, interpreted, entries, faults, rewrites, endless, disagreements } = total;
  process.stdout.write(
    `${engine}: ${instructions} instructions (${interpreted} by the interpreter) in ${entries} entries of segments, ` +
      `${faults} up to a fault, ${disagreements.length} disagreements; left out: ${rewrites} stored over code, ` +
      `${endless} loops without an end\n`,
  );
  return total;
});
const names = [...new Set(totals.flatMap(({ counts }) => [...counts.keys()]))].sort((a, b) =>
  a.localeCompare(b),
);
for (const name of names) {
  const row = totals.map(({ counts }) => String(counts.get(name) ?? 0).padStart(8));
  process.stdout.write(`${row.join(' ')}  ${name}\n`);
}
