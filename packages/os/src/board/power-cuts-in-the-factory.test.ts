import { describe, expect, it } from 'vitest';
import { manufacturePath } from './testing/power-cut-paths.fixture.ts';
import { sweepPowerCuts, tellPowerCuts } from './testing/power-cuts.fixture.ts';

/** With SEVENFOLD_DEPTH the two large images are those of a release. */
const IS_DEEP = Number(process.env['SEVENFOLD_DEPTH'] ?? 0) > 0;

describe('a power cut at every operation in the factory', () => {
  it('leaves a chip that can be finished, as the device that it said it was', async () => {
    // Taken up again, the whole factory is the recovery: cut again after few of the first cuts.
    const figures = await sweepPowerCuts(await manufacturePath(IS_DEEP), {
      secondEvery: IS_DEEP ? 100 : 20,
    });
    tellPowerCuts(figures);
    expect(figures.states).toEqual(['Blank', 'Module1Complete']);
    expect(figures.cases).toBeGreaterThanOrEqual(2 * figures.operations);
  }, 900_000);
});
