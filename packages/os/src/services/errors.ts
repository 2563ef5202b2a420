import { SevenfoldError, toProblem, type ErrorPlace } from '@sevenfold/formats';

/** Every way in which the OS services can fail; what the kernel or the network refused keeps its own code. */
export type ServicesErrorCode =
  /** The kernel's answer has not the shape of its call table. */
  | 'BadReply'
  /** The service answered with a problem of its own; `field` and `rule` are the service's. */
  | 'ServiceRefused'
  /** The service's answer cannot be read, is too large, or is not what was asked for. */
  | 'UnexpectedAnswer'
  /** The certificates or the verdict do not fit this device and its keys. */
  | 'BadAttestReply'
  /** What was asked for is only for devices that are unlocked. */
  | 'CapabilityRequired'
  /** A kept certificate is of no use any more. */
  | 'CertificateEnded'
  /** The plan: not signed by a plan key; not an answer to our request; not ours; not possible here. */
  | 'PlanNotGenuine'
  | 'PlanNotFresh'
  | 'PlanForAnotherDevice'
  | 'PlanImpossible';

/** An OS service could not do its work. */
export class ServicesError extends SevenfoldError<ServicesErrorCode> {
  /** Milliseconds that the service asked us to stay away; null: it named none. */
  readonly retryAfter: number | null;

  constructor(
    code: ServicesErrorCode,
    message: string,
    where: ErrorPlace & { readonly retryAfter?: number | null } = {},
  ) {
    super(code, message, where);
    this.retryAfter = where.retryAfter ?? null;
  }
}

/** `Code: sentence` of whatever was thrown, from whichever realm: what crosses a port is judged by its shape. */
export function describeError(error: unknown): string {
  const { code, message } = toProblem(error);
  // A defect of our own: only its text helps whoever has to find it.
  if (code === 'Internal' && error instanceof Error) return `Internal: ${error.stack ?? error.message}`;
  return `${code}: ${message}`;
}
