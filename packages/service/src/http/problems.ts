import { STATUS_CODES } from 'node:http';
import type { ApiProblem } from '@sevenfold/api';
import { SevenfoldError, toProblem } from '@sevenfold/formats';
import { ServiceError, type ServiceErrorCode } from '../service-error.ts';

/** The HTTP status of each code of the service (RFC 9110 §15). */
const STATUS_OF_CODE: Readonly<Record<ServiceErrorCode, number>> = {
  StoreClosed: 503,
  NestedWrite: 500,
  WorkFinished: 500,
  TransactionNotAllowed: 500,
  CommitFailed: 503,
  NewerDatabase: 500,
  DataFolderInUse: 500,
  DataFolderDamaged: 500,
  PortInUse: 500,
  Unauthenticated: 401,
  Forbidden: 403,
  EnrolmentTokenInvalid: 403,
  InvalidPublicKey: 422,
  InvalidRequest: 400,
  MalformedJson: 400,
  UnsupportedMediaType: 415,
  BodyTooLarge: 413,
  MethodNotAllowed: 405,
  RouteNotFound: 404,
  TooManyRequests: 429,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  DeviceNotGenuine: 422,
  DeviceClaimedElsewhere: 409,
  ChipNotAllowed: 403,
  ImageConflict: 409,
  TooManyImages: 409,
  ImageNotDeployable: 422,
  UntrustedSigner: 422,
  BlobDamaged: 500,
  BlobTooLarge: 413,
  IncompleteRelease: 422,
  KeystoreLacksSigner: 422,
  InvalidEndorsements: 422,
  InvalidEvidence: 422,
  UnknownDevice: 404,
  StaleChallenge: 409,
  DeviceBlocked: 403,
  DeviceReleased: 403,
  UpdateCertificateRequired: 401,
  ImageNotInPlan: 403,
  RangeNotSatisfiable: 416,
  RequestTimeout: 408,
  CertificateUnavailable: 503,
};

/** Fastify's own refusals, in our words. */
const FASTIFY_CODES: Readonly<Record<string, readonly [ServiceErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'UnsupportedMediaType',
    'The content type is not one that this service reads.',
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: ['BodyTooLarge', 'The body is larger than this route takes.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'InvalidRequest',
    'The body is not as long as its Content-Length says.',
  ],
  FST_ERR_BAD_URL: ['InvalidRequest', 'The path is not a valid URL.'],
  FST_ERR_MAX_PARAM_LENGTH: ['InvalidRequest', 'A part of the path is too long.'],
};

/**
 * An error as the answer to a request (RFC 9457). What was not thrown on purpose becomes `Internal`, without its
 * message: that belongs into the log.
 */
export function problemOf(error: unknown, requestId: string): ApiProblem {
  const known = translate(error);
  const { code, message, field, rule } = toProblem(known);
  const status =
    known instanceof ServiceError ? STATUS_OF_CODE[known.code] : known instanceof SevenfoldError ? 422 : 500;
  return {
    type: `tag:sevenfold,2026:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: message,
    code,
    ...(field === undefined ? {} : { field }),
    ...(rule === undefined ? {} : { rule }),
    requestId,
  };
}

/** Whether this is nobody's fault but ours. */
export function isInternal(problem: ApiProblem): boolean {
  return problem.status >= 500;
}

function translate(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const ours = FASTIFY_CODES[code];
  if (ours !== undefined) return new ServiceError(ours[0], ours[1], { cause: error });
  // What else the framework blames the client for is the client's, and no alarm in our log.
  const status =
    error instanceof Error && 'statusCode' in error && code.startsWith('FST_') ? Number(error.statusCode) : 0;
  return status >= 400 && status < 500
    ? new ServiceError('InvalidRequest', 'The request is not one that this service reads.', { cause: error })
    : error;
}
