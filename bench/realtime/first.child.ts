// Prints how long a new core takes to its first instruction, in a process that has run none, and then what the first
// round of a program of 60 KB takes beyond a later one: both in milliseconds.
import { bareCore, workOn } from './core.ts';
import { workOf } from './work.ts';

const bytes = workOf('m4', 1);
const began = performance.now();
const core = bareCore('jit');
core.load(0x0010_0000, bytes);
core.reset();
core.run(1000);
const first = performance.now() - began;

const large = bareCore('jit');
const ROUNDS = 30;
/** Milliseconds of this thread: what V8 optimises beside it does not hold the core up. */
const round = (): number => {
  const before = process.threadCpuUsage();
  workOn(large, 'large', ROUNDS);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
};
const cold = round();
for (let again = 0; again < 5; again++) round();
process.stdout.write(JSON.stringify({ first, translation: cold - round() }));
