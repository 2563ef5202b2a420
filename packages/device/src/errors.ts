import { SevenfoldError } from '@sevenfold/formats';

/** Every way in which a virtual device as a whole can fail. */
export type DeviceErrorCode =
  /** The chip's folder is open in another process, or twice in this one. */
  | 'ChipInUse'
  /** There is no chip in this folder, or its manufacture never ended. */
  | 'ChipNotFound'
  | 'ChipUnfinished'
  /** There is a finished chip already: it is not made anew over it. */
  | 'ChipExists'
  | 'ChipDamaged'
  /** A stage's sources do not make a bundle that imports nothing. */
  | 'BundleFailed'
  | 'BundleNotSelfContained'
  /** The release cannot be built or written as asked. */
  | 'ReleaseInvalid'
  /** The device is off, or it stopped while it booted. */
  | 'DeviceNotRunning'
  /** The gateway answered something that is no status. */
  | 'StatusUnreadable';

/** A virtual device could not be made, opened or run. */
export class DeviceError extends SevenfoldError<DeviceErrorCode> {}
