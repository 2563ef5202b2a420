import { isMainThread, parentPort } from 'node:worker_threads';
import { streamEndpoint } from './stream-endpoint.ts';
import { runStage } from './stage-runtime.ts';

// The program of a stage's thread, and of a stage's process: there the board is at standard input and output.
if (parentPort !== null) runStage(parentPort);
else if (isMainThread) {
  const { stdin, stdout } = process;
  runStage(streamEndpoint(stdin, stdout, () => process.exit(71)));
  // The board is gone, or has no more use for this stage.
  stdin.on('end', () => process.exit(0));
}

// A rejection that nobody handles ends the stage. Its reason is not looked at: that could run the stage's code.
process.on('unhandledRejection', () => {
  process.exit(70);
});
