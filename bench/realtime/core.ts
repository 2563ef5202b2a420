import { Core } from '../../packages/silicon/src/cores/core.ts';
import { SiliconError } from '../../packages/silicon/src/errors.ts';
import { cpuSeconds, HEAD, workOf, type Build, type WorkRun } from './work.ts';

const BASE = 0x0010_0000;

/** A core with nothing outside. */
export function bareCore(engine: 'interpreter' | 'jit'): Core {
  const refuse = (): never => {
    throw new SiliconError('BusFault', 'Nothing is there.');
  };
  const core = new Core({ engine, bus: { read: refuse, write: refuse } });
  core.processor.isDebugged = true;
  return core;
}

/** Works on a core from reset on; what was translated before stays. */
export function workOn(core: Core, build: Build, iterations: number): WorkRun {
  const isLoaded = core.memory.get(0, 4) !== 0;
  const bytes = workOf(build, iterations);
  // Only the head changes from one run to the next: translations of the code live on.
  core.load(BASE, isLoaded ? bytes.subarray(0, 16) : bytes);
  core.reset();
  const before = core.executed;
  const began = cpuSeconds();
  while (core.halt === null) core.run(1_000_000);
  const seconds = cpuSeconds() - began;
  const answer = new DataView(core.memory.read(BASE + HEAD.answer, 4).buffer).getUint32(0, true);
  return { answer, seconds, instructions: core.executed - before };
}
