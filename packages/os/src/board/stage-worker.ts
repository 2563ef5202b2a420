import { isMainThread, parentPort } from 'node:worker_threads';
import { streamEndpoint } from './stream-endpoint.ts';
import { runStage } from './stage-runtime.ts';

/** How much less an app counts than the OS when both want the processor (nice, 0 to 19). */
const NICE = 10;

/** On Linux 0 is the calling thread alone (setpriority(2), C library/kernel differences); elsewhere it is the board. */
function yieldToOthers(): void {
  // Loaded here: the other stages do without it.
  if (process.platform === 'linux') process.getBuiltinModule('node:os').setPriority(0, NICE);
}

// The program of a stage's thread, and of a stage's process: there the board is at standard input and output.
if (parentPort !== null) runStage(parentPort, yieldToOthers);
else if (isMainThread) {
  const { stdin, stdout } = process;
  runStage(
    streamEndpoint(stdin, stdout, () => process.exit(71)),
    yieldToOthers,
  );
  // The board is gone, or has no more use for this stage.
  stdin.on('end', () => process.exit(0));
}

// A rejection that nobody handles ends the stage. Its reason is not looked at: that could run the stage's code.
process.on('unhandledRejection', () => {
  process.exit(70);
});
