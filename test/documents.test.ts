import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const LIST = 'docs/decisions/README.md';

it('every decision has a number of its own, and stands in the list under it, by its title, in order', () => {
  const pages = globSync('docs/decisions/[0-9]*.md', { cwd: root }).toSorted();
  const rows = [...read(LIST).matchAll(/^\| \[(\d{4})\]\(([^)]+)\) *\| (.*?) *\|$/gm)].map((row) =>
    row.slice(1, 4),
  );
  const numbers = rows.map(([number]) => number);
  expect(numbers).toEqual([...new Set(numbers)]);
  expect(rows).toEqual(
    pages.map((path) => {
      const [title = ''] = read(path).split('\n');
      return [basename(path).slice(0, 4), basename(path), title.replace(/^# /, '')];
    }),
  );
});

it('every link of the documents to a file leads to one', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: root })];
  const broken = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path} → ${target}`),
  );
  expect(broken).toEqual([]);
});
