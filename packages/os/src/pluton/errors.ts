import { SevenfoldError } from '@sevenfold/formats';

/** Why the Pluton runtime refuses; what an image is refused for is `ImageRefused`'s and the parsers'. */
export type PlutonErrorCode =
  /** No copy of the next stage may run. */
  | 'NoBootableImage'
  /** A counter would run ahead of what runs. */
  | 'VersionNotRunning'
  /** The command is not allowed at this point of a boot, or in this manufacturing state. */
  | 'WrongPhase'
  | 'WrongLifecycle'
  /** Everything that runs is measured: nothing else is until reset. */
  | 'MeasurementsClosed'
  /** A capability file that nobody signed who may, or that is another device's. */
  | 'CapabilityRefused'
  /** What should be opened is no sealed box at all. */
  | 'NotABox'
  /** A box was sealed by other software than runs now, or by software that is newer. */
  | 'PolicyNotMet'
  /** A counter is counted up more often than flash bears for the life of a product. */
  | 'CounterTooFast'
  /** Every epoch of the counters is used up: they can still be read, and never be anchored. */
  | 'CountersExhausted'
  /** Flash did not take Pluton's state. */
  | 'StateUnwritable'
  /** The hardware's answer has not the shape that its table says. */
  | 'HardwareFault';

/** Thrown by the Pluton runtime. */
export class PlutonError extends SevenfoldError<PlutonErrorCode> {}
