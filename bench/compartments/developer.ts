import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from '../figure.ts';
import { quantile } from '../pairs.ts';

const COMMAND = join(import.meta.dirname, '../../packages/cli/bin/sevenfold.mjs');
const FILES = 20;
const FUNCTIONS = 12;
const ROUNDS = 3;
const MOST_BUILD = 4;
const MOST_REBUILD = 1;
const MOST_RUN = 2;
const MOST_SECONDS = 60_000;

/** One of the app's files: a hundred lines of the usual kind. `salt` makes it another one. */
function sourceOf(file: number, salt: string): string {
  const functions = Array.from(
    { length: FUNCTIONS },
    (_, index) => `
int work_${file}_${index}(int value)
{
    // ${salt}
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    value = value * ${index + 3} + (int)now.tv_sec;
    return value % ${file + 7};
}`,
  );
  return `#include <time.h>\n${functions.join('\n')}\n`;
}

function mainSource(salt: string): string {
  const all = Array.from({ length: FILES - 1 }, (_, file) => file + 1);
  return `#include <applibs/eventloop.h>
#include <applibs/log.h>
${all.map((file) => `int work_${file}_0(int value);`).join('\n')}

int main(void)
{
    int value = 1;
${all.map((file) => `    value = work_${file}_0(value);`).join('\n')}
    Log_Debug("up ${salt} %d\\n", value > -1);
    EventLoop_Run(EventLoop_Create(), -1, false);
    return 0;
}
`;
}

/** An app of some 2,000 lines in twenty files, of which nothing was built before. */
function writeApp(folder: string, salt: string): number {
  mkdirSync(folder, { recursive: true });
  const manifest = {
    SchemaVersion: 1,
    Name: 'large',
    ComponentId: '0c9b8e2a-4f6d-4b1e-8a35-7d2c6e1f0a05',
    EntryPoint: '/bin/app',
    CmdArgs: [],
    Capabilities: {},
    ApplicationType: 'Default',
  };
  writeFileSync(join(folder, 'app_manifest.json'), JSON.stringify(manifest));
  let lines = 0;
  for (let file = 0; file < FILES; file++) {
    const text = file === 0 ? mainSource(salt) : sourceOf(file, salt);
    lines += text.split('\n').length;
    writeFileSync(join(folder, file === 0 ? 'main.c' : `part${file}.c`), text);
  }
  return lines;
}

/** Runs a command in a folder; resolves with the seconds to its end, or to the first line that matches. */
function timeOf(cwd: string, args: readonly string[], until: RegExp | null): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], { cwd, stdio: ['ignore', 'pipe', 'ignore'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), MOST_SECONDS);
    let output = '';
    let found: number | null = null;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (found !== null || until === null || !until.test(output)) return;
      found = (performance.now() - begun) / 1000;
      child.kill('SIGINT');
    });
    child.on('error', reject).on('close', (code) => {
      clearTimeout(timer);
      if (until === null && code === 0) resolve((performance.now() - begun) / 1000);
      else if (found !== null) resolve(found);
      else reject(new Error(`${args.join(' ')} failed:\n${output}`));
    });
  });
}

/** Seconds of the build that a saved file sets off under `app run --watch`, as the command itself tells them. */
function timeRebuild(folder: string, salt: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, 'app', 'run', '--watch'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), MOST_SECONDS);
    let output = '';
    let isSaved = false;
    let built: number | null = null;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (!isSaved && output.includes(`up ${salt} 1`)) {
        isSaved = true;
        writeFileSync(join(folder, 'main.c'), mainSource(`${salt}again`));
      }
      if (output.includes(`up ${salt}again 1`)) child.kill('SIGINT');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const [, milliseconds] = /built large in (\d+) ms/.exec(text) ?? [];
      if (milliseconds !== undefined) built = Number(milliseconds);
    });
    child.on('error', reject).on('close', () => {
      clearTimeout(timer);
      if (isSaved && built !== null) resolve(built / 1000);
      else reject(new Error(`app run --watch ended:\n${output}`));
    });
  });
}

/** What a developer waits for: a build of new sources, a change, and the app's first line. */
export async function measureDeveloper(scratch: string): Promise<readonly Figure[]> {
  const times = { build: [] as number[], rebuild: [] as number[], run: [] as number[] };
  let lines = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const salt = `${process.pid}x${round}`;
    const folder = join(scratch, `large${round}`);
    lines = writeApp(folder, salt);
    times.build.push(await timeOf(folder, ['app', 'build'], null));
    times.run.push(await timeOf(folder, ['app', 'run'], new RegExp(`up ${salt} 1`)));
    times.rebuild.push(await timeRebuild(folder, salt));
  }
  const figure = (name: string, seconds: readonly number[], most: number): Figure => {
    const median = quantile(seconds, 0.5);
    return {
      name,
      measured: `${median.toFixed(2)} s`,
      peer: '–',
      target: `≤ ${most} s`,
      isMet: median <= most,
    };
  };
  return [
    figure(`app build of ${lines} lines, none built before`, times.build, MOST_BUILD),
    figure('rebuild of a saved file under app run --watch', times.rebuild, MOST_REBUILD),
    figure('app run to the first line', times.run, MOST_RUN),
  ];
}
