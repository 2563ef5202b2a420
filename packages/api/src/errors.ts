import { SevenfoldError } from '@sevenfold/formats';
import type { ApiProblem } from './primitives.ts';

/** What can go wrong on the way to and from the service, before its own answer counts. */
export type ApiClientErrorCode = 'Unreachable' | 'InvalidReply' | 'ReplyTooLarge' | 'InvalidCall';

/** A failed call. `code` is the service's, or one of `ApiClientErrorCode` where no answer of it counts (`status` 0). */
export class ApiError extends SevenfoldError {
  /** HTTP status; 0 where there was no usable answer. */
  readonly status: number;
  /** The service's own words, null where there was no usable answer. */
  readonly problem: ApiProblem | null;

  constructor(problem: ApiProblem, cause?: unknown) {
    super(problem.code, problem.detail, { field: problem.field, rule: problem.rule, cause });
    this.status = problem.status;
    this.problem = problem.status === 0 ? null : problem;
  }
}

/** A failure that happened on this side of the wire. */
export function clientError(code: ApiClientErrorCode, detail: string, cause?: unknown): ApiError {
  return new ApiError({ type: 'about:blank', title: code, status: 0, detail, code }, cause);
}
