import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeGolden } from './testing/golden.ts';
import { disagreements, play } from './testing/lockstep.ts';
import { GOLDEN_PLANS } from './testing/plans.ts';
import { encode, randomOf } from './testing/random-programs.ts';
import { buildOracle } from './testing/unicorn.ts';
import { ROWS } from './isa/table.ts';

/** With SEVENFOLD_DEPTH the sweeps run over ten million instructions and more. */
const DEPTH = Number(process.env['SEVENFOLD_DEPTH'] ?? 0);

const golden = GOLDEN_PLANS.map((plan) => ({ plan, played: play(plan, { engine: 'interpreter' }) }));

describe('the golden vectors', () => {
  it.each([...golden.entries()])('are what the interpreter makes of plan %i', (index, { plan, played }) => {
    const file = readFileSync(join(import.meta.dirname, 'testdata', `golden-${index}.bin`));
    expect(Buffer.compare(encodeGolden(plan.seed, plan.length, played), file)).toBe(0);
  });

  it('hold every encoding that stays in its program', () => {
    const seen = new Set(
      golden.flatMap(({ played }) => played.cases.flatMap(({ rows }) => rows.map(({ name }) => name))),
    );
    const missing = ROWS.filter(
      ({ name, isSystem }) => isSystem !== true && !seen.has(name) && !name.startsWith('YIELD'),
    );
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});

describe('translated code', () => {
  it.each(GOLDEN_PLANS)('does what the interpreter does, to the last register (seed $seed)', (plan) => {
    const part = { ...plan, cases: DEPTH > 0 ? plan.cases : 400 };
    const interpreted = play(part, { engine: 'interpreter' });
    const translated = play(part, { engine: 'jit', hotAfter: 0 });
    expect(translated.outcomes).toEqual(interpreted.outcomes);
    expect(Buffer.compare(translated.after, interpreted.after)).toBe(0);
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

  it('agrees on random programs, register by register and byte by byte', { timeout: 3_600_000 }, () => {
    let instructions = 0;
    const most = DEPTH > 0 ? 10_000_000 * DEPTH : 60_000;
    for (let seed = 1; instructions < most; seed++) {
      const played = play({ seed, cases: 20_000, length: 3 }, { engine: 'interpreter' });
      expect(disagreements(played, path).slice(0, 20)).toEqual([]);
      instructions += played.instructions;
    }
  });

  it('agrees on instructions that go elsewhere', () => {
    for (let seed = 1; seed <= 1 + 20 * DEPTH; seed++) {
      const played = play({ seed, cases: 5000, length: 1 }, { engine: 'interpreter' });
      expect(disagreements(played, path).slice(0, 20)).toEqual([]);
    }
  });

  it('agrees with translated code', { timeout: 3_600_000 }, () => {
    for (let seed = 100; seed <= 100 + 100 * DEPTH; seed++) {
      const played = play(
        { seed, cases: DEPTH > 0 ? 20_000 : 500, length: 4 },
        { engine: 'jit', hotAfter: 0 },
      );
      expect(disagreements(played, path).slice(0, 20)).toEqual([]);
    }
  });
});
