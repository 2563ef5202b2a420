import { relative } from 'node:path';
import { systemEntropy } from '@sevenfold/silicon';
import type { Narrator } from '../narrator.ts';
import { installationFolder } from '../profile.ts';
import { hostClock, type Wiring } from '@sevenfold/os';
import { tellStory, type ToldStory } from './story.ts';

/** How long a stop waits for what is under way. */
const PATIENCE_MILLISECONDS = 2_000;

/** Commands that work while the platform is up. */
function whatToTry(story: ToldStory, dataDir: string): string {
  const isDefault = relative(installationFolder, dataDir) === 'data';
  const flag = isDefault ? '' : ` --profile ${dataDir}/cli`;
  return [
    'The platform is up. Try, in another terminal:',
    '',
    `  npx sevenfold device list${flag}`,
    `  npx sevenfold device show ${story.deviceId}${flag}`,
    `  npx sevenfold error show ${story.errorGroupId}${flag}`,
    `  npx sevenfold os-release list${flag}`,
    `  npx sevenfold telemetry list${flag}`,
    `  npx sevenfold access audit${flag}`,
    '  npx sevenfold --help',
    '',
    'Ctrl-C stops it.',
  ].join('\n');
}

/** Tells the story; then stays up until SIGINT or SIGTERM, unless `once`. A signal during the story stops it as well. */
export async function runUntilStopped(options: {
  readonly dataDir: string;
  readonly once: boolean;
  readonly wiring: Wiring;
  readonly narrator: Narrator;
  readonly process: NodeJS.Process;
}): Promise<void> {
  const { dataDir, once, narrator } = options;
  const stopping = new AbortController();
  const stopped = new Promise((resolve) => stopping.signal.addEventListener('abort', resolve));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    options.process.on(signal, () => {
      // Who asks twice is not kept waiting: a kill at any moment loses nothing that was acknowledged.
      if (stopping.signal.aborted) options.process.exit(130);
      narrator.note('\nStopping …');
      stopping.abort();
      // A compiler or a boot under way is not waited for longer than this: cut anywhere, the next start goes on.
      setTimeout(() => options.process.exit(130), PATIENCE_MILLISECONDS).unref();
    });
  }
  narrator.heading('Sevenfold: the main job, end to end');
  let story: ToldStory;
  try {
    const { signal } = stopping;
    const world = { clock: hostClock(), entropy: systemEntropy(), wiring: options.wiring };
    story = await tellStory({ dataDir, narrator, signal, ...world });
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    options.process.exitCode = 130;
    return;
  }
  if (!once) {
    narrator.note(`\n${whatToTry(story, dataDir)}`);
    await stopped;
  }
  await story.close();
  narrator.note(once ? '\nAll 13 steps proved what they had to.' : 'Stopped.');
}
