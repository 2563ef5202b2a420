import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Company } from './company.ts';

/** Joins as each of `names` in this turn and takes two steps; the order of all steps. */
function stepsOf(company: Company, names: readonly string[]): { steps: string[]; done: Promise<unknown> } {
  const steps: string[] = [];
  const walk = async (name: string): Promise<void> => {
    await company.join();
    steps.push(`${name} first`);
    await Promise.resolve();
    steps.push(`${name} second`);
  };
  return { steps, done: Promise.all(names.map(walk)) };
}

describe('requests that arrive in one turn', () => {
  it('take each step together, in the order of coming', async () => {
    const { steps, done } = stepsOf(new Company(), ['a', 'b']);
    await done;
    expect(steps).toEqual(['a first', 'b first', 'a second', 'b second']);
  });

  it('do not wait for one that comes in the next', async () => {
    const company = new Company();
    const early = stepsOf(company, ['early']);
    await early.done;
    expect(early.steps).toHaveLength(2);
    expect(company.size).toBe(0);
    const late = stepsOf(company, ['late']);
    expect(late.steps).toEqual([]);
    await late.done;
    expect(late.steps).toHaveLength(2);
  });

  it('are cut into groups when they are very many, and others get their turn between these', async () => {
    const company = new Company();
    let gone = 0;
    const names = Array.from({ length: 100 }, (_, index) => index);
    const done = Promise.all(names.map(() => company.join().then(() => (gone += 1))));
    expect(company.size).toBe(100);
    const seen = new Set<number>();
    while (gone < names.length) {
      await setImmediate();
      seen.add(gone);
    }
    await done;
    expect(seen.size).toBeGreaterThan(2);
  });
});
