import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

it('finds the Node that npm brought by its package: npm 10 leaves no link to it in .bin', () => {
  const program = "import { findNode } from './packages/cli/bin/own-node.mjs'; console.log(findNode());";
  const found = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(found.trim()).toBe(
    join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node'),
  );
  expect(execFileSync(found.trim(), ['--version'], { encoding: 'utf8' })).toMatch(/^v26\./);
});
