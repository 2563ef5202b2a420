// Starts everything a person can start: `npm start`, `npm test`, `npm run check`, `npm run bench`.
// Plain JavaScript for any Node from 18 on: it runs before anything is installed, installs what is
// missing, and hands over to the Node that the project brings with it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NO_NODE, findNode } from '../packages/cli/bin/own-node.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
const [command = '', ...args] = process.argv.slice(2);

/** npm writes this file last, so an interrupted install is seen as missing. */
function isInstalled() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  return statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

/** Whether this Node is one for which npm installs every package: several name `^20.19 || >=22.12` as their engine. */
function suitsAllPackages() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
}

/** npm under `runner`, an absolute path to a Node; answers its exit status. */
function npm(runner, npmArgs) {
  const options = {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${dirname(runner)}:${process.env.PATH ?? ''}` },
  };
  const all = [...npmArgs, '--no-audit', '--no-fund', '--loglevel=error'];
  const program = process.env.npm_execpath;
  return (program ? spawnSync(runner, [program, ...all], options) : spawnSync('npm', all, options)).status;
}

function install() {
  process.stdout.write('Installing what is missing (npm ci) …\n');
  const began = Date.now();
  let runner = process.execPath;
  let borrowed = null;
  if (!suitsAllPackages()) {
    // npm leaves out what names a newer engine than the Node it runs on: so the project's own Node comes first.
    const name = `node-${process.platform}-${process.arch}`;
    const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).optionalDependencies[name];
    borrowed = mkdtempSync(join(tmpdir(), 'sevenfold-node-'));
    if (version) npm(runner, ['install', '--prefix', borrowed, '--no-save', `${name}@${version}`]);
    const newer = join(borrowed, 'node_modules', name, 'bin', 'node');
    if (existsSync(newer)) runner = newer;
  }
  const status = npm(runner, ['ci']);
  if (borrowed !== null) rmSync(borrowed, { recursive: true, force: true });
  if (status !== 0) fail('`npm ci` did not finish: see its message above.');
  process.stdout.write(`Installed in ${((Date.now() - began) / 1000).toFixed(1)} s.\n`);
}

function fail(message) {
  process.stderr.write(`sevenfold: ${message}\n`);
  process.exit(1);
}

/** The project's own Node comes first: programs ask the path for one. */
function environment() {
  return { ...process.env, PATH: `${dirname(node)}:${bin}:${process.env.PATH ?? ''}` };
}

/** Becomes the program where Node can (one process less in memory), else waits for it. */
function become(node, programArgs) {
  if (typeof process.execve === 'function' && process.platform === 'linux') {
    process.execve(node, [node, ...programArgs], environment());
  }
  const child = spawn(node, programArgs, { cwd: root, stdio: 'inherit', env: environment() });
  // The terminal sends Ctrl-C to the child as well: this process only waits for its end.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
}

/**
 * The parts of `npm run check`, in the order in which they are quickest to fail.
 * @type {readonly (readonly [name: string, program: string, programArgs: readonly string[]])[]}
 */
const CHECKS = [
  ['types', 'tsc', ['-b']],
  ['lint', 'oxlint', ['--deny-warnings', '.']],
  ['format', 'oxfmt', ['--check', '.']],
  ['architecture', 'vitest', ['run', 'test/architecture.test.ts', 'test/documents.test.ts']],
  ['trusted lines', 'node', ['scripts/trusted-lines.ts']],
  ['unused code', 'knip', []],
];

function check() {
  /** @type {string[]} */
  const failed = [];
  for (const [name, program, programArgs] of CHECKS) {
    process.stdout.write(`check: ${name}\n`);
    const run = spawnSync(join(bin, program), programArgs, {
      cwd: root,
      stdio: 'inherit',
      env: environment(),
    });
    if (run.status !== 0) failed.push(name);
  }
  if (failed.length > 0) fail(`check failed: ${failed.join(', ')}`);
  process.stdout.write('check: all good\n');
}

if (!isInstalled()) install();
const node = findNode() ?? fail(NO_NODE);
switch (command) {
  case 'start':
    become(node, [join(root, 'packages/cli/bin/sevenfold.mjs'), 'up', ...args]);
    break;
  case 'test':
    become(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...args]);
    break;
  case 'bench':
    become(node, [join(root, 'bench/run.ts'), ...args]);
    break;
  case 'check':
    check();
    break;
  default:
    fail(`unknown command '${command}': use npm start, npm test, npm run check or npm run bench`);
}
