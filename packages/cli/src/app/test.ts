import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { appsBeside } from '@sevenfold/sdk';
import { CliError } from '../errors.ts';
import { buildAndTell, type AppBuildOptions } from './build.ts';

const TEST_FILE = /\.test\.(?:ts|mts|js|mjs)$/;

/** Builds an app and runs the tests of its folder `tests` with Node's own runner; gives the runner's exit code. */
export async function testApp(options: AppBuildOptions, patterns: readonly string[]): Promise<number> {
  const { folder, hardware, environment } = options;
  const tests = join(folder, 'tests');
  const names = (await readdir(tests).catch(() => [])).filter(
    (name) => TEST_FILE.test(name) && (patterns.length === 0 || patterns.some((part) => name.includes(part))),
  );
  if (names.length === 0) {
    throw new CliError('NotFound', `There is no test in ${tests}.`, {
      field: 'tests',
      rule: 'files named *.test.ts or *.test.js',
    });
  }
  for (const app of [folder, ...(await appsBeside(folder))])
    await buildAndTell({ ...options, folder: app, outDir: join(app, 'out') });
  const child = spawn(
    process.execPath,
    // One process for all: the OS is bundled once.
    ['--test', '--test-isolation=none', ...names.sort().map((name) => join(tests, name))],
    {
      cwd: folder,
      stdio: 'inherit',
      env: { ...environment, ...(hardware === undefined ? {} : { SEVENFOLD_HARDWARE: hardware }) },
    },
  );
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
