import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseAppImage, parseImagePackage } from '@sevenfold/formats';
import type { BuiltApp } from '@sevenfold/sdk';
import type { Figure } from '../figure.ts';

const MOST_GROWTH = 0.02;
const APPS = 20;
/** One every ten seconds for a day. */
const TIMERS = 8640;

interface Day {
  readonly first: number;
  readonly last: number;
  readonly lines: readonly string[];
  readonly reports: number;
}

/** Twenty apps with timers on one kernel, for a day of virtual time, in a process of their own. */
export async function measureDay(timers: BuiltApp): Promise<Figure> {
  const child = spawn(process.execPath, ['--expose-gc', join(import.meta.dirname, 'day.child.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stdin.end(parseAppImage(parseImagePackage(timers.imagePackage).payload).executable);
  await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  // Our own child's own line.
  const { first, last, lines, reports } = JSON.parse(output) as Day;
  const growth = last / first - 1;
  const punctual = lines.filter((line) => line.endsWith(`: ${TIMERS} timers, 0 late`)).length;
  return {
    name: `${APPS} apps, 24 h of virtual time`,
    measured: `heap ${(growth * 100).toFixed(2)} %, ${punctual} of ${APPS} apps missed no timer, ${reports} failures`,
    peer: '–',
    target: `heap within ${MOST_GROWTH * 100} %, none missed`,
    isMet: Math.abs(growth) <= MOST_GROWTH && punctual === APPS && reports === 0,
  };
}
