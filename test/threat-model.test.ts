import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** Every file of tests that the document names, with the names that follow it. */
async function named(): Promise<ReadonlyMap<string, readonly string[]>> {
  const text = await readFile(join(ROOT, 'docs/threat-model.md'), 'utf8');
  const files = new Map<string, string[]>();
  for (const [, file = '', names = ''] of text.matchAll(/`([\w./-]+\.test\.ts)`: ((?:“[^”]+”(?:, )?)+)/g)) {
    const found = [...names.matchAll(/“([^”]+)”/g)].map(([, name = '']) => name);
    files.set(file, [...(files.get(file) ?? []), ...found]);
  }
  return files;
}

describe('the threat model', () => {
  it('names tests that are there', async () => {
    const files = await named();
    expect(files.size).toBeGreaterThan(20);
    const missing: string[] = [];
    for (const [file, names] of files) {
      const source = await readFile(join(ROOT, file), 'utf8').catch(() => '');
      missing.push(...names.filter((name) => !source.includes(name)).map((name) => `${file}: ${name}`));
    }
    expect(missing).toEqual([]);
  });

  it('has no name of a test that is not looked up', async () => {
    const text = await readFile(join(ROOT, 'docs/threat-model.md'), 'utf8');
    const all = [...text.matchAll(/“([^”]+)”/g)].length;
    expect([...(await named()).values()].flat()).toHaveLength(all);
  });
});
