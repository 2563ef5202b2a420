import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createNarrator, tellStory, type StoryOutcome } from '@sevenfold/cli';
import { createVirtualClock, runOnVirtualTime } from '@sevenfold/device';
import { seededEntropy } from './seeded.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The whole story in this process and thread: inline wiring, virtual time, everything random from `seed`. */
async function tellFromSeed(
  seed: string,
): Promise<{ readonly outcome: StoryOutcome; readonly text: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sevenfold-story-'));
  folders.push(dataDir);
  const clock = createVirtualClock({ start: Date.now() });
  let text = '';
  const narrator = createNarrator({ write: (part) => (text += part) });
  const story = await runOnVirtualTime(
    clock,
    tellStory({
      dataDir,
      narrator,
      clock,
      entropy: seededEntropy(seed),
      wiring: 'inline',
      signal: new AbortController().signal,
    }).catch((error: unknown) => {
      throw new Error(`the story stopped:\n${text}`, { cause: error });
    }),
  );
  await story.close();
  return { outcome: story.outcome, text };
}

describe('the main job in one process', () => {
  it('runs from a seed, twice, with the same outcome', async () => {
    const first = await tellFromSeed('one seed');
    const second = await tellFromSeed('one seed');
    expect(first.outcome.map((step) => step.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(second.outcome).toEqual(first.outcome);
    for (const step of first.outcome) expect(first.text).toContain(`${step.number} ${step.title}`);
  });
});
