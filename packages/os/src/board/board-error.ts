import { SevenfoldError, toProblem, type Problem } from '@sevenfold/formats';

/** Why the board, the loader or the wiring between stages refused or failed. */
export type BoardErrorCode =
  /** The bundle may not run at all: it is no script, or it holds what no stage may hold. */
  | 'StageRefused'
  /** The bundle ran and failed: its `start` rejected, or its thread died. */
  | 'StageFailed'
  /** The stage is gone: power-off, reset, or `stop`. */
  | 'StageStopped'
  /** A stage was called before it serves, or serves twice. */
  | 'NotServing'
  /** A value that no port carries: a function, `undefined`, a cycle, something too deep or too large. */
  | 'NotPlainData'
  /** Whoever calls has as many calls waiting for their answer as it may have. */
  | 'TooManyCalls'
  | 'DeviceNotRunning'
  | 'NoSuchCompartment'
  | 'CompartmentExists'
  | 'TooManyCompartments';

/** Thrown by the board and by the wiring of ports. */
export class BoardError extends SevenfoldError<BoardErrorCode> {}

/** A refusal that came over a port, as an error of this side: code, field and rule survive, nothing else does. */
export function problemToError({ code, message, field, rule }: Problem): SevenfoldError {
  return new SevenfoldError(code, message, { field, rule });
}

/** What a host error is outside: its problem, and for what is `Internal` the detail that only the log is told. */
export function describeFailure(error: unknown): {
  readonly problem: Problem;
  readonly detail: string | null;
} {
  const problem = toProblem(error);
  // One that was `Internal` on the other side of a port has been logged there.
  const isRelayed = error instanceof SevenfoldError;
  if (problem.code !== 'Internal' || isRelayed) return { problem, detail: null };
  return { problem, detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
