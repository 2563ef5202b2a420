/** A call frame of an app: which function, and the byte of its module at which it stood. */
interface TrapFrame {
  readonly function: number;
  readonly offset: number;
}

/** How an app's module failed. */
export interface Trap {
  /** One of a closed set of phrases, such as `memory access out of bounds`. */
  readonly trap: string;
  /** Innermost first, at most `MOST_FRAMES`. */
  readonly frames: readonly TrapFrame[];
}

/** Frames that a report may carry. */
export const MOST_FRAMES = 64;

/** What a check that the compiler has put in found, by its number in `check_failed`. */
const CHECKS: readonly string[] = [
  'null pointer',
  'index out of bounds',
  'end of a function without its return',
  'unreachable code',
  'array without a length',
];

/** Ends the app from inside a host call: one of the compiler's checks failed. */
export class CheckFailed extends Error {
  readonly trap: string;
  constructor(kind: number) {
    super(`check ${kind}`);
    this.trap = CHECKS[kind] ?? OTHER_TRAP;
  }
}

/** The engine's words for each trap of the core specification (§4.4), and ours, which stay the same over engines. */
const TRAPS: readonly (readonly [RegExp, string])[] = [
  [/memory access out of bounds/, 'memory access out of bounds'],
  [/unreachable/, 'unreachable'],
  [/(divide|remainder) by zero/, 'integer divide by zero'],
  [/divide result unrepresentable/, 'integer overflow'],
  [/float unrepresentable|unrepresentable in integer range/, 'invalid conversion to integer'],
  [/table (index|access) (is )?out of bounds/, 'table access out of bounds'],
  [/null function|signature mismatch|indirect call/, 'indirect call type mismatch'],
  [/call stack/, 'call stack exhausted'],
];
const OTHER_TRAP = 'unknown trap';
const HOST_FAILURE = 'failure of the compartment program';

/** The frame of the app in a line of V8's stack: `… wasm-function[12]:0x3af)`. Names in it are the module's own words. */
const FRAME = /wasm-function\[(\d{1,9})\]:0x([0-9a-f]{1,8})\)?$/;

/** Frames of an app in a stack as V8 writes it. */
function framesOf(stack: string): readonly TrapFrame[] {
  return stack
    .split('\n')
    .flatMap((line) => {
      const [, index, offset] = FRAME.exec(line) ?? [];
      if (index === undefined || offset === undefined) return [];
      return [{ function: Number.parseInt(index, 10), offset: Number.parseInt(offset, 16) }];
    })
    .slice(0, MOST_FRAMES);
}

/** What ended an app, from what was thrown out of it. */
export function trapOf(error: unknown): Trap {
  // The innermost frame is the function that tells of the check.
  if (error instanceof CheckFailed) return { trap: error.trap, frames: framesOf(error.stack ?? '').slice(1) };
  if (!(error instanceof Error)) return { trap: HOST_FAILURE, frames: [] };
  const isTrap = error.name === 'RuntimeError' || error.name === 'RangeError';
  const known = isTrap ? TRAPS.find(([words]) => words.test(error.message)) : undefined;
  return { trap: known?.[1] ?? (isTrap ? OTHER_TRAP : HOST_FAILURE), frames: framesOf(error.stack ?? '') };
}
