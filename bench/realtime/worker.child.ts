// A worker that works when it is told to and says when it is done.
import { parentPort } from 'node:worker_threads';
import { bareCore, workOn } from './core.ts';

const core = bareCore('jit');
workOn(core, 'm4', 500);
parentPort?.on('message', (iterations: number) => {
  workOn(core, 'm4', iterations);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort?.postMessage('done');
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage('ready');
