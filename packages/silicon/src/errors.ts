import { SevenfoldError } from '@sevenfold/formats';

/** Every way in which the chip refuses or fails. Closed: layers above decide by these codes. */
export type SiliconErrorCode =
  /** Power went away at this very operation, or is off: the chip does nothing until it is powered on. */
  | 'PowerCut'
  /** A master touched what the firewall does not let it touch. */
  | 'BusFault'
  | 'FirewallLocked'
  /** The noise source failed its health tests (SP 800-90B §4): no keys, no nonces. */
  | 'EntropyFailure'
  /** A fuse field is burnt and locked, or would have to go back. */
  | 'FuseLocked'
  | 'FuseOneWay'
  | 'NotManufactured'
  /** A recovery set is one image of each system type. */
  | 'RecoverySetIncomplete'
  | 'OutOfRange'
  | 'NoSuchKey'
  /** Sealed or wrapped bytes that were made with another key, or changed since. */
  | 'NotAuthentic'
  | 'KeySlotsFull'
  | 'UnknownCall'
  /** Not now: what is there first has to end. */
  | 'WrongState'
  /** A core's debug port is closed: nothing allows a debugger to look. */
  | 'DebugLocked'
  | 'BadArgument'
  /** A register did not take the value that a transaction waited for. */
  | 'BusTimeout'
  /** What the manufacturing state no longer lets anybody do at the service port. */
  | 'ServicePortClosed'
  /** A page or sector does not hold what was programmed or erased: worn out. */
  | 'FlashWorn'
  | 'BoardFileInvalid'
  /** The folder or file behind the chip is not a chip's. */
  | 'StorageUnusable';

/** Thrown by the chip and by its ports. */
export class SiliconError extends SevenfoldError<SiliconErrorCode> {}
