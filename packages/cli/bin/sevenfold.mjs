#!/usr/bin/env node
// Hands over to the project's own Node where this one cannot run the sources, and starts the service on large pages.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { betterEnvironment } from './large-pages.mjs';
import { NO_NODE, findNode } from './own-node.mjs';

const program = fileURLToPath(import.meta.url);
const commandArgs = process.argv.slice(2);
const better = betterEnvironment(commandArgs, process.env);

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // The allocator reads its environment when a program starts: this process becomes the same one once more.
  if (better !== null && process.platform === 'linux' && typeof process.execve === 'function')
    process.execve(
      process.execPath,
      [process.execPath, ...process.execArgv, program, ...commandArgs],
      better,
    );
  await import('../src/main.ts');
} else {
  const node = findNode();
  if (node === null) {
    process.stderr.write(`sevenfold: ${NO_NODE}\n`);
    process.exit(1);
  }
  const child = spawn(node, [program, ...commandArgs], { stdio: 'inherit', env: better ?? process.env });
  // The terminal sends Ctrl-C to the child as well: this process only waits for its end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
}
