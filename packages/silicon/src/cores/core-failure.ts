import { viewOf } from '@sevenfold/formats';
import type { Core } from './core.ts';
import type { FaultName } from './fault.ts';
import { SYSRAM, TCM, WORD, XIP } from './state.ts';

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

/** What a program wrote down before it gave up by itself (docs/real-time-sdk.md). */
export interface CoreNote {
  readonly kind: 'assertion' | 'stack' | 'interrupt';
  /** The condition that did not hold, or the task whose stack was too small: printable ASCII. */
  readonly text: string;
  /** Line of the source, or number of the exception; 0: none. */
  readonly line: number;
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
  /** Of a program that locked itself up; null: it left none. */
  readonly note: CoreNote | null;
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

/** Where a program leaves its record, and what is where in it. */
const RECORD = TCM.base + 0x200;
const RECORD_BYTES = 116;
const AT = { magic: 0, kind: 4, text: 108, line: 112 } as const;
const MAGIC = 0x4c49_4146;
const KINDS: readonly (CoreNote['kind'] | null)[] = [null, null, 'assertion', 'stack', 'interrupt'];
const MOST_TEXT = 96;

/** What the program has left to be said of its end; whatever stands there is taken for text at most. */
export function noteOf(core: Core): CoreNote | null {
  const record = core.memory.read(RECORD, RECORD_BYTES);
  const word = (at: number): number => viewOf(record).getUint32(at, true);
  const kind = KINDS[word(AT.kind)] ?? null;
  if (word(AT.magic) !== MAGIC || kind === null) return null;
  return { kind, text: textAt(core, word(AT.text)), line: word(AT.line) };
}

function textAt(core: Core, address: number): string {
  const home = [TCM, SYSRAM, XIP].find(({ base, size }) => address >= base && address < base + size);
  if (home === undefined) return '';
  const bytes = core.memory.read(address, Math.min(MOST_TEXT, home.base + home.size - address));
  const end = bytes.indexOf(0);
  return [...bytes.subarray(0, end < 0 ? bytes.length : end)]
    .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?'))
    .join('');
}
