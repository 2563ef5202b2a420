import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from '../figure.ts';

const root = join(import.meta.dirname, '../..');
const MOST_SECONDS = 90;

/** The exhaustive power-cut run as `npm test` runs it, alone: its time, and how many cuts it made. */
export async function measurePowerCuts(): Promise<Figure> {
  const files = globSync('packages/os/src/board/power-cuts*.test.ts', { cwd: root });
  const began = performance.now();
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...files], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const seconds = (performance.now() - began) / 1000;
  const cases = [...output.matchAll(/(\d+) cases/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  return {
    name: 'every power cut, clean and torn, inline with flash in memory',
    measured: `${seconds.toFixed(0)} s, ${cases} cases, exit ${code}`,
    peer: '–',
    target: `≤ ${MOST_SECONDS} s, exit 0`,
    isMet: code === 0 && cases > 0 && seconds <= MOST_SECONDS,
  };
}
