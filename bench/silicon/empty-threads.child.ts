import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

/** As many threads as a booted device has, with nothing in them; prints the process's resident memory in KiB. */
const THREADS = 4;
const program = `require('node:worker_threads').parentPort.on('message', () => {})`;
const workers = Array.from(
  { length: THREADS },
  () => new Worker(program, { eval: true, env: {}, argv: [], execArgv: [] }),
);
await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))));
process.stdout.write('running\n');
await pause(1500);
const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
process.stdout.write(`${kib ?? 'NaN'}\n`);
process.exit(0);
