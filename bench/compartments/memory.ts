import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseAppImage, parseImagePackage } from '@sevenfold/formats';
import type { BuiltApp } from '@sevenfold/sdk';
import type { Figure } from '../figure.ts';
import { quantile } from '../pairs.ts';

const ROUNDS = 3;
/** As many as the flash has slots for. */
const MOST_APPS = 4;
const MOST_MEGABYTES = 12;

/** Private memory (bytes) of a process whose device runs so many idle apps. */
function memoryWith(apps: number, module: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'memory.child.ts'), String(apps)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', reject).on('close', () => resolve(Number(output.trim()) * 1024));
    child.stdin.end(module);
  });
}

/** What each idle app beyond the first costs. */
export async function measureMemory(idle: BuiltApp): Promise<Figure> {
  const module = parseAppImage(parseImagePackage(idle.imagePackage).payload).executable;
  const each: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const one = await memoryWith(1, module);
    each.push(((await memoryWith(MOST_APPS, module)) - one) / (MOST_APPS - 1));
  }
  const megabytes = quantile(each, 0.5) / 1e6;
  return {
    name: 'memory of each additional idle app',
    measured: `${megabytes.toFixed(1)} MB`,
    peer: '–',
    target: `≤ ${MOST_MEGABYTES} MB`,
    isMet: megabytes <= MOST_MEGABYTES,
  };
}
