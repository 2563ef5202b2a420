import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const command = join(import.meta.dirname, '../packages/cli/bin/sevenfold.mjs');
const folder = mkdtempSync(join(tmpdir(), 'sevenfold-rt-'));
const env = { ...process.env, SEVENFOLD_PROFILE: join(folder, 'profile') };
const FREERTOS = process.env['SEVENFOLD_FREERTOS'];
/** Two, but for those who ask for all; that of FreeRTOS only where its owner says where it is. */
const TEMPLATES = [
  'realtime-rtos',
  'intercore',
  ...(process.env['SEVENFOLD_DEPTH'] === undefined ? [] : ['realtime-baremetal']),
  ...(FREERTOS === undefined ? [] : ['realtime-freertos']),
];

const sevenfold = (...args: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    execFile(command, args, { env, cwd: folder }, (_error, stdout, stderr) => resolve(`${stdout}${stderr}`));
  });

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a developer of real-time apps on a machine without a network', () => {
  it.for(TEMPLATES)('makes one, and its tests pass on a virtual device: %s', async (template, { skip }) => {
    const kernel = FREERTOS === undefined ? [] : ['--freertos', FREERTOS];
    await sevenfold('app', 'new', template, '--template', template, ...kernel);
    const tested = await sevenfold('app', 'test', '--directory', template);
    if (tested.includes('CompilerMissing')) return skip('gcc-arm-none-eabi is not installed');
    expect(tested).toMatch(/ℹ pass [12]\n/);
    expect(tested).toContain('ℹ fail 0\n');
    return undefined;
  });
});
