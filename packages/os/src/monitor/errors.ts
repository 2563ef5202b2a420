import { SevenfoldError } from '@sevenfold/formats';

/** Why the Security Monitor refuses; what an image is refused for is `ImageRefused`'s and the parsers'. */
export type MonitorErrorCode =
  /** No copy of a system image may run, or none of an app. */
  | 'NoBootableImage'
  | 'NoSuchComponent'
  /** Both real-time cores run an app. */
  | 'NoCoreAvailable'
  /** Staging */
  | 'UnsupportedImageType'
  | 'ImageTooLarge'
  | 'NotEnoughFreeSpace'
  | 'TooManyStagings'
  | 'NoSuchStaging'
  | 'StagingGap'
  | 'StagingConflict'
  | 'StagingIncomplete'
  | 'StagingFinished'
  | 'StagingNotFinished'
  | 'DigestMismatch'
  | 'ImageIdentityInconsistency'
  /** A keystore under which the system that it is committed with could not boot. */
  | 'KeystoreLocksOut'
  /** Nothing may be committed or replaced while a configuration is on trial, or before the restart that begins one. */
  | 'TrialInProgress'
  | 'RestartRequired'
  /** Too early: the OS services are not measured yet. */
  | 'NotRunning'
  /** Records and mutable storage */
  | 'RecordsFull'
  | 'StorageFull'
  /** A layer below answered in a shape that its table does not have. */
  | 'HardwareFault';

/** Thrown by the Security Monitor. */
export class MonitorError extends SevenfoldError<MonitorErrorCode> {}
