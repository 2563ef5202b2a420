#!/usr/bin/env node
// Hands over to the project's own Node where this one cannot run the sources.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { NO_NODE, findNode } from './own-node.mjs';

if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import('../src/main.ts');
} else {
  const node = findNode();
  if (node === null) {
    process.stderr.write(`sevenfold: ${NO_NODE}\n`);
    process.exit(1);
  }
  const program = fileURLToPath(import.meta.url);
  const child = spawn(node, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal sends Ctrl-C to the child as well: this process only waits for its end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
}
