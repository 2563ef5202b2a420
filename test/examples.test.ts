import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileKeyStore, ensureKey, thumbprint } from '@sevenfold/pki';
import { buildApps } from '@sevenfold/sdk';
import { afterAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const profile = mkdtempSync(join(tmpdir(), 'sevenfold-examples-'));
afterAll(() => rmSync(profile, { recursive: true, force: true }));

/** Of a structure's version: what includes it is an example of both. */
const VERSIONED = /_v\d+\.h$/;

it('every header of Applibs and tlsutils has an example', () => {
  const sources = readdirSync(join(root, 'examples'))
    .map((name) => readFileSync(join(root, 'examples', name, 'main.c'), 'utf8'))
    .join('\n');
  const headers = ['applibs', 'tlsutils'].flatMap((folder) =>
    readdirSync(join(root, 'packages/sdk/include', folder)).map((name) => `${folder}/${name}`),
  );
  // What another header of these includes has its example with that.
  const inner = readFileSync(join(root, 'packages/sdk/include/tlsutils/deviceauth_curl.h'), 'utf8');
  const missing = headers.filter(
    (header) => !VERSIONED.test(header) && !`${sources}${inner}`.includes(`#include <${header}>`),
  );
  expect(headers.length).toBeGreaterThan(20);
  expect(missing).toEqual([]);
});

it('every example that has tests passes them, on virtual time', async () => {
  const examples = readdirSync(join(root, 'examples'))
    .map((name) => join(root, 'examples', name))
    .filter((folder) => existsSync(join(folder, 'tests')));
  const keys = await openFileKeyStore(join(profile, 'development'));
  const spki = await ensureKey(keys, 'development');
  const signer = {
    thumbprint: thumbprint(spki),
    sign: (message: Uint8Array) => keys.sign('development', message),
  };
  const apps = await buildApps(
    examples.map((sourceDir) => ({ sourceDir, outDir: join(sourceDir, 'out'), signer })),
  );
  expect(apps.flatMap(({ warnings }) => warnings)).toEqual([]);
  const tests = examples.flatMap((folder) =>
    readdirSync(join(folder, 'tests'))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => join(folder, 'tests', name)),
  );
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    execFile(
      process.execPath,
      ['--test', '--test-isolation=none', ...tests],
      { cwd: root, env: { ...process.env, SEVENFOLD_PROFILE: profile } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, output: `${stdout}${stderr}` }),
    );
  });
  expect(code, output).toBe(0);
  expect(output).toMatch(/pass [1-9]\d*\b/);
}, 300_000);
