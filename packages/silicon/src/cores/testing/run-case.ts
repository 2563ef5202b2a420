import { SiliconError } from '../../errors.ts';
import { Core, type CoreOptions } from '../core.ts';
import { TCM, WORD } from '../state.ts';
import { CASE_WORDS, type Case } from './random-programs.ts';
import type { Outcome } from './unicorn.ts';

/** A core whose outside answers every access with an error, and whose floating-point unit is on. */
export function bareCore(options: Omit<CoreOptions, 'bus'>, memory: Uint8Array): Core {
  const refuse = (): never => {
    throw new SiliconError('BusFault', 'Nothing is there.');
  };
  const core = new Core({ ...options, bus: { read: refuse, write: refuse } });
  core.load(TCM.base, memory);
  return core;
}

const CPACR = 0xe000_ed88;

/** Sets a core to a case's start state, in Thread mode, as after a reset. */
export function prepare(core: Core, { state, address }: Pick<Case, 'state' | 'address'>): void {
  core.reset();
  core.processor.store(CPACR, 4, 0xf0_0000);
  for (let index = 0; index < 15; index++) core.setRegister(index, state[index] ?? 0);
  core.setRegister(15, address);
  core.processor.status.setApsr(state[16] ?? 0, true, true);
  // The first floating-point instruction would load FPSCR's default: take that step now.
  core.processor.openFloat();
  const words = core.memory.words;
  words[WORD.thumb] = 1;
  words[WORD.fpscr] = state[17] ?? 0;
  for (let index = 0; index < 32; index++) words[WORD.float + index] = state[18 + index] ?? 0;
  // At the priority of HardFault any fault locks the core up: nothing is stacked over the case's memory.
  core.nvic.faultmask = 1;
}

/** The state as the oracle tells it. */
export function outcomeOf(core: Core): Outcome {
  const state = new Int32Array(CASE_WORDS);
  for (let index = 0; index < 16; index++) state[index] = core.register(index);
  const words = core.memory.words;
  state[16] = core.processor.status.apsr;
  state[17] = words[WORD.fpscr] ?? 0;
  for (let index = 0; index < 32; index++) state[18 + index] = words[WORD.float + index] ?? 0;
  return { error: core.processor.scs.cfsr === 0 && core.processor.scs.hfsr === 0 ? 0 : 1, state };
}

/** How far a case came. */
export interface Progress {
  readonly executed: number;
  /** It has stored over its own code: whether what was there before still runs is left open without ISB. */
  readonly isRewritten: boolean;
}

/**
 * Runs a case on a core whose memory stays from the case before. Answers how many of its instructions were executed
 * as well: at the first that faults the core stops.
 */
export function runCase(core: Core, each: Case): Outcome & Progress {
  let at = each.address;
  for (const bytes of each.instructions) {
    core.load(at, bytes);
    at += bytes.length;
  }
  prepare(core, each);
  const before = core.executed;
  core.run(each.instructions.length);
  const code = core.memory.read(each.address, at - each.address);
  const isRewritten = Buffer.compare(code, Buffer.concat(each.instructions)) !== 0;
  return { ...outcomeOf(core), executed: core.executed - before, isRewritten };
}
