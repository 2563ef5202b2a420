import { SevenfoldError } from '@sevenfold/formats';

/** What can be wrong with a key, a certificate or a chain. */
export type PkiErrorCode =
  // key stores and keys
  | 'BadKeyName'
  | 'KeyExists'
  | 'KeyNotFound'
  | 'KeyFileExposed'
  | 'BadKey'
  | 'WrongPassphrase'
  | 'KeyTokenFailed'
  | 'BadPem'
  // one certificate, as bytes
  | 'CertificateTooLarge'
  | 'BadCertificate'
  | 'UnsupportedVersion'
  | 'BadSerial'
  | 'BadValidity'
  | 'BadName'
  | 'BadExtension'
  | 'DuplicateExtension'
  | 'UnsupportedAlgorithm'
  | 'AlgorithmMismatch'
  | 'BadRequest'
  // other things that carry certificates or ask for one
  | 'BadSigningRequest'
  | 'BadCertificateBag'
  // a chain, after RFC 5280 §6
  | 'UnknownIssuer'
  | 'BadSignature'
  | 'NotYetValid'
  | 'Expired'
  | 'NotACertificateAuthority'
  | 'PathTooLong'
  | 'WrongKeyUsage'
  | 'WrongPurpose'
  | 'UnknownCriticalExtension'
  | 'NameNotPermitted'
  | 'TooManyCertificates'
  | 'TooCostly';

/** Every refusal of this package. */
export class PkiError extends SevenfoldError<PkiErrorCode> {}
