import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { depth, seededRandom } from './seeded.ts';

const command = join(import.meta.dirname, '../packages/cli/bin/sevenfold.mjs');
/** Times the story is killed; 20 with SEVENFOLD_DEPTH=10. */
const KILLS = 2 * depth();
/** A whole story takes about as long: kills fall anywhere in it. */
const LATEST_KILL_MILLISECONDS = 25_000;
const MOST_MILLISECONDS = 150_000;

interface Ending {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the story; SIGKILLs it after `killAfter` milliseconds unless that is null. */
function runStory(dataDir: string, killAfter: number | null): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [command, 'up', '--once', '--data', dataDir], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), killAfter ?? MOST_MILLISECONDS);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

describe('the story, killed at random moments', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sevenfold-kill-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it(
    `loses nothing that was acknowledged, boots, and finishes after ${KILLS} kills`,
    async () => {
      const random = seededRandom('kill');
      for (let kill = 0; kill < KILLS; kill++) {
        const after = Math.floor(random() * LATEST_KILL_MILLISECONDS);
        const { code, output } = await runStory(folder, after);
        // A run either was killed or got through before; it never fails by itself.
        expect(code === null || code === 0, `killed after ${after} ms:\n${output}`).toBe(true);
      }
      const { code, output } = await runStory(folder, null);
      expect(code, output).toBe(0);
      expect(output).toMatch(/13 It refuses/);
    },
    MOST_MILLISECONDS * (KILLS + 1),
  );
});
