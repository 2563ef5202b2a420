import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './figure.ts';

const root = join(import.meta.dirname, '..');
const SAMPLE_MILLISECONDS = 100;
const MOST_SECONDS = 60;
const MOST_MEBIBYTES = 450;
const MOST_MEBIBYTES_COMPILING = 1200;

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Every process of this machine that can be read. */
function listProcesses(): readonly ProcessRow[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // The command name in parentheses may itself hold spaces and parentheses.
        const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(name), parent: Number(fields[1]), command }];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

/** `pid` and everything it started, directly or not. */
function treeOf(pid: number): readonly ProcessRow[] {
  const all = listProcesses();
  const tree = all.filter((row) => row.pid === pid);
  for (let index = 0; index < tree.length; index++) {
    tree.push(...all.filter((row) => row.parent === tree[index]?.pid));
  }
  return tree;
}

/** Proportional set size in MiB; 0 for a process that is gone. */
function proportionalSetSize(pid: number): number {
  try {
    const match = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return Number(match?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Runs the story on empty data as a user would, npm included, and watches its time and its memory. */
export async function measureStory(): Promise<readonly Figure[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sevenfold-bench-'));
  const began = performance.now();
  const child = spawn('npm', ['start', '--silent', '--', '--once', '--data', dataDir], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  let most = 0;
  let mostCompiling = 0;
  const sampler = setInterval(() => {
    const tree = child.pid === undefined ? [] : treeOf(child.pid);
    const total = tree.reduce((sum, row) => sum + proportionalSetSize(row.pid), 0);
    if (tree.some((row) => row.command.includes('toolchain.child')))
      mostCompiling = Math.max(mostCompiling, total);
    else most = Math.max(most, total);
  }, SAMPLE_MILLISECONDS);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(sampler);
  const seconds = (performance.now() - began) / 1000;
  rmSync(dataDir, { recursive: true, force: true });
  const steps = output.split('\n').filter((line) => line.startsWith('✓')).length;
  return [
    {
      name: 'story finishes, exit code 0',
      measured: `exit ${code}, ${steps} of 13 steps`,
      peer: '–',
      target: 'exit 0, 13 steps',
      isMet: code === 0 && steps === 13,
    },
    {
      name: 'time of the story',
      measured: `${seconds.toFixed(1)} s`,
      peer: '–',
      target: `≤ ${MOST_SECONDS} s`,
      isMet: seconds <= MOST_SECONDS,
    },
    {
      name: 'memory (sum of PSS), not compiling',
      measured: `${Math.round(most)} MiB`,
      peer: '–',
      target: `≤ ${MOST_MEBIBYTES} MB`,
      isMet: most <= MOST_MEBIBYTES,
    },
    {
      name: 'memory (sum of PSS), compiling',
      measured: `${Math.round(mostCompiling)} MiB`,
      peer: '–',
      target: `≤ ${MOST_MEBIBYTES_COMPILING} MB`,
      isMet: mostCompiling <= MOST_MEBIBYTES_COMPILING,
    },
  ];
}
