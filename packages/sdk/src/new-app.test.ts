import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { APP_TEMPLATES, newApp, type AppTemplate } from './new-app.ts';

const TEMPLATES = Object.keys(APP_TEMPLATES) as AppTemplate[];
const installation = join(import.meta.dirname, '../../..');

it.for(TEMPLATES)('a new app names each of its files once: %s', async (template, { skip }) => {
  if (template === 'realtime-freertos') skip('it needs a FreeRTOS kernel');
  const parent = await mkdtemp(join(tmpdir(), 'sevenfold-new-'));
  try {
    const folder = join(parent, 'lamp');
    const files = await newApp({ folder, template, installation });
    expect(files).toEqual([...new Set(files)]);
    expect(files).toEqual(expect.arrayContaining(['README.md', 'app_manifest.json', 'package.json']));
    expect(files.filter((path) => !existsSync(join(folder, path)))).toEqual([]);
    expect(files.some((path) => /^tests\/.*\.test\.ts$/.test(path))).toBe(true);
  } finally {
    await rm(parent, { recursive: true });
  }
});
