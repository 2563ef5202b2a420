import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** The documents that name tests. */
const DOCUMENTS = ['docs/threat-model.md', 'docs/identity.md'];

/** Every file of tests that a document names, with the names that follow it. */
function namedIn(text: string): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  for (const [, file = '', names = ''] of text.matchAll(
    /`([\w./-]+\.(?:test|suite)\.ts)`: ((?:“[^”]+”(?:, )?)+)/g,
  )) {
    const found = [...names.matchAll(/“([^”]+)”/g)].map(([, name = '']) => name);
    files.set(file, [...(files.get(file) ?? []), ...found]);
  }
  return files;
}

describe.each(DOCUMENTS)('%s', (document) => {
  const read = (): Promise<string> => readFile(join(ROOT, document), 'utf8');

  it('names tests that are there', async () => {
    const files = namedIn(await read());
    expect(files.size).toBeGreaterThan(20);
    const missing: string[] = [];
    for (const [file, names] of files) {
      const source = await readFile(join(ROOT, file), 'utf8').catch(() => '');
      missing.push(...names.filter((name) => !source.includes(name)).map((name) => `${file}: ${name}`));
    }
    expect(missing).toEqual([]);
  });

  it('has no name of a test that is not looked up', async () => {
    const text = await read();
    const all = [...text.matchAll(/“([^”]+)”/g)].length;
    expect([...namedIn(text).values()].flat()).toHaveLength(all);
  });
});
