import { SevenfoldError } from '@sevenfold/formats';

/**
 * Everything that the service refuses, as a closed vocabulary. The HTTP edges translate a code into a status
 * (`http/problems.ts`); the meaning of a code never changes once it was released.
 */
export type ServiceErrorCode =
  // store and data folder
  | 'StoreClosed'
  | 'NestedWrite'
  | 'WorkFinished'
  | 'TransactionNotAllowed'
  | 'CommitFailed'
  | 'NewerDatabase'
  | 'DataFolderInUse'
  | 'DataFolderDamaged'
  | 'PortInUse'
  // people and machines
  | 'Unauthenticated'
  | 'Forbidden'
  | 'EnrolmentTokenInvalid'
  | 'InvalidPublicKey'
  // requests
  | 'InvalidRequest'
  | 'MalformedJson'
  | 'UnsupportedMediaType'
  | 'BodyTooLarge'
  | 'MethodNotAllowed'
  | 'RouteNotFound'
  | 'TooManyRequests'
  // things
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'DeviceNotGenuine'
  | 'DeviceClaimedElsewhere'
  | 'ChipNotAllowed'
  | 'ImageConflict'
  | 'TooManyImages'
  | 'ImageNotDeployable'
  | 'UntrustedSigner'
  | 'BlobDamaged'
  | 'BlobTooLarge'
  | 'IncompleteRelease'
  | 'KeystoreLacksSigner'
  | 'InvalidEndorsements'
  // devices
  | 'InvalidEvidence'
  | 'UnknownDevice'
  | 'StaleChallenge'
  | 'DeviceBlocked'
  | 'DeviceReleased'
  | 'UpdateCertificateRequired'
  | 'ImageNotInPlan'
  | 'RangeNotSatisfiable'
  | 'RequestTimeout'
  | 'CertificateUnavailable';

/** An error of the service: `code` is stable, `field` and `rule` name what was wrong with the input. */
export class ServiceError extends SevenfoldError<ServiceErrorCode> {}
