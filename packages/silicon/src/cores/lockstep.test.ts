import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeGolden, encodeGoldenSegments } from './testing/golden.ts';
import { playSegments, segmentDisagreements } from './testing/lockstep-segments.ts';
import { disagreements, play } from './testing/lockstep.ts';
import { GOLDEN_PLANS, GOLDEN_SEGMENTS } from './testing/plans.ts';
import { encode, randomOf } from './testing/random-programs.ts';
import { buildOracle } from './testing/unicorn.ts';
import { ROWS } from './isa/table.ts';

/** With SEVENFOLD_DEPTH the sweeps run over ten million instructions and more. */
const DEPTH = Number(process.env['SEVENFOLD_DEPTH'] ?? 0);
const ENGINES = [{ engine: 'interpreter' }, { engine: 'jit', hotAfter: 0 }] as const;

const goldenFile = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, 'testdata', name));
const golden = GOLDEN_PLANS.map((plan) => ({ plan, played: play(plan, { engine: 'interpreter' }) }));

const missingIn = (seen: ReadonlySet<string>): readonly string[] =>
  ROWS.filter(({ name, isSystem }) => isSystem !== true && !seen.has(name) && !name.startsWith('YIELD')).map(
    ({ name }) => name,
  );

describe('the golden vectors', () => {
  it.each([...golden.entries()])('are what the interpreter makes of plan %i', (index, { plan, played }) => {
    const file = goldenFile(`golden-${index}.bin`);
    expect(Buffer.compare(encodeGolden(plan.seed, plan.length, played), file)).toBe(0);
  });

  it('hold every encoding that stays in its program', () => {
    const names = golden.flatMap(({ played }) =>
      played.cases.flatMap(({ rows }) => rows.map(({ name }) => name)),
    );
    expect(missingIn(new Set(names))).toEqual([]);
  });
});

describe.each(ENGINES)('the golden vectors of programs that branch ($engine)', (options) => {
  const played = GOLDEN_SEGMENTS.map((plan) => ({ plan, played: playSegments(plan, options) }));

  it.each([...played.entries()])('are what it makes of plan %i', (index, { plan, played: mine }) => {
    const file = goldenFile(`golden-segments-${index}.bin`);
    expect(Buffer.compare(encodeGoldenSegments(plan, mine), file)).toBe(0);
  });

  it('hold every encoding, and translated code runs nearly all of them', () => {
    const names = played.flatMap(({ played: { counts } }) => [...counts.keys()]);
    // Conditional branches are in no part that surely runs.
    expect(missingIn(new Set([...names, 'CBZ, CBNZ T1', 'B T1', 'B T3', 'IT T1']))).toEqual([]);
    const [inside] = played;
    if (options.engine === 'jit' && inside)
      expect(inside.played.interpreted).toBeLessThan(inside.played.instructions / 20);
  });
});

describe('the semantics table', () => {
  it('has bits for every encoding that decode to it', () => {
    const random = randomOf(3);
    const missing = ROWS.filter((row) => encode(row, random, 0) === null);
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

const oracle = buildOracle();
const reason = 'reason' in oracle ? oracle.reason : '';

describe.skipIf(reason !== '')(`lock-step with Unicorn${reason && ` (skipped: ${reason})`}`, () => {
  let path = '';
  beforeAll(() => {
    if ('path' in oracle) path = oracle.path;
  });

  it('agrees on short programs, register by register and byte by byte', () => {
    for (const length of [3, 1]) {
      const played = play({ seed: 1, cases: 5000, length }, { engine: 'interpreter' });
      expect(disagreements(played, path).slice(0, 20)).toEqual([]);
    }
  });

  it.each(ENGINES)('agrees on programs that branch ($engine)', { timeout: 7_200_000 }, (options) => {
    let instructions = 0;
    const most = DEPTH > 0 ? 10_000_000 * DEPTH : 1;
    for (let seed = 2; instructions < most || seed < 4; seed++) {
      const isElsewhere = seed % 3 === 0;
      const rounds = DEPTH === 0 ? 2 : isElsewhere ? 16 : 64;
      const played = playSegments({ seed, isElsewhere, rounds }, options);
      expect(segmentDisagreements(played, path).slice(0, 20)).toEqual([]);
      instructions += played.instructions;
    }
  });
});
