import type { Core } from './core.ts';
import type { FaultName } from './fault.ts';
import { SYSRAM, TCM, WORD } from './state.ts';

/** Most bytes of the stack that a failure keeps. */
const MOST_STACK = 4096;

/** A core's registers when something went wrong, for an error report. */
export interface CoreSnapshot {
  /** R0 to R12, SP, LR, and as R15 the instruction that failed. */
  readonly registers: readonly number[];
  readonly xpsr: number;
  readonly msp: number;
  readonly psp: number;
  readonly control: number;
  /** From SP on: at most 4 KiB, none where SP points into no memory of the core. */
  readonly stack: Uint8Array;
}

/** Why a core does not run any more. */
export interface CoreFailure extends CoreSnapshot {
  /**
   * `lockup`: a fault with no handler left for it. `fault`: its handler did not end, or asked for a reset. `watchdog`:
   * nobody restarted it in time. `reset`: the program asked for one.
   */
  readonly kind: 'lockup' | 'fault' | 'watchdog' | 'reset';
  /** What the instruction did; null where it was no instruction. */
  readonly fault: FaultName | null;
  readonly cfsr: number;
  readonly hfsr: number;
  readonly mmfar: number;
  readonly bfar: number;
  /** Ticks of the core's time. */
  readonly time: number;
}

/** The registers as they are, with `pc` as the instruction to blame. */
export function snapshotOf(core: Core, pc: number): CoreSnapshot {
  const { processor, memory } = core;
  const registers = Array.from({ length: 15 }, (_, index) => core.register(index) >>> 0);
  const thumb = (memory.words[WORD.thumb] ?? 0) << 24;
  return {
    registers: [...registers, pc >>> 0],
    xpsr: (processor.status.apsr | thumb | processor.status.ipsr) >>> 0,
    msp: processor.status.msp >>> 0,
    psp: processor.status.psp >>> 0,
    control: processor.status.control,
    stack: stackFrom(core, core.register(13) >>> 0),
  };
}

function stackFrom(core: Core, sp: number): Uint8Array {
  const home = [TCM, SYSRAM].find(({ base, size }) => sp >= base && sp < base + size);
  if (home === undefined) return new Uint8Array(0);
  return core.memory.read(sp, Math.min(MOST_STACK, home.base + home.size - sp));
}
