import { SevenfoldError } from '@sevenfold/formats';

/** Why the kernel refuses a call, an application or a module. Closed: callers decide by these codes. */
export type KernelErrorCode =
  | 'NoSuchApplication'
  | 'BadReply'
  // what a compartment asks for; it turns each into the documented errno (see compartment/errno.ts)
  | 'AccessDenied'
  | 'NoSuchDevice'
  | 'DeviceBusy'
  | 'NotOpen'
  | 'TooManyOpen'
  | 'BusBusy'
  | 'NoAcknowledge'
  | 'TransferTimeout'
  | 'BadState'
  | 'NoSuchFile'
  | 'QuotaExceeded'
  | 'NotReady'
  | 'StorageFailed'
  | 'NotAllowedNow'
  | 'NameNotResolved'
  // apps of other cores (inter-core/)
  | 'ConnectionRefused'
  | 'ConnectionLost'
  | 'MessageTooLong'
  // settings of the device (settings/)
  | 'BadSetting'
  | 'OutOfBounds'
  | 'NotPermitted'
  | 'StoreFull'
  | 'OutOfMemory'
  | 'AlreadyThere'
  | 'NotConnected'
  // what another app has already (azure-sphere.md §3.6)
  | 'RequestedGpioAlreadyInUse'
  | 'GpioBlockConflict'
  | 'RequestedPeripheralAlreadyInUse'
  | 'DuplicateTcpUdpPortDetected'
  // images and modules
  | 'NotAnApplication'
  | 'ComponentMismatch'
  | 'IncompatibleApplicationRuntime'
  | 'ModuleMalformed'
  | 'ModuleTooLarge'
  | 'UnknownImport'
  | 'WrongImportSignature'
  | 'MemoryNotDeclared'
  | 'MemoryOverQuota'
  | 'SharedMemory'
  | 'TableTooLarge'
  | 'StartFunction'
  | 'MissingExport'
  | 'UnsupportedFeature';

/** A refusal of the kernel. */
export class KernelError extends SevenfoldError<KernelErrorCode> {}
