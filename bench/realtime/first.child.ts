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
const cold = workOn(large, 'large', ROUNDS).seconds;
for (let round = 0; round < 5; round++) workOn(large, 'large', ROUNDS);
const warm = workOn(large, 'large', ROUNDS).seconds;
process.stdout.write(JSON.stringify({ first, translation: 1000 * (cold - warm) }));
