import { SevenfoldError, type ErrorPlace } from '@sevenfold/formats';
import type { Diagnostic } from './toolchain/diagnostics.ts';

/** Why an app could not be built. */
export type SdkErrorCode =
  /** The folder lacks a file that every app has, or a file cannot be read. */
  | 'ProjectIncomplete'
  /** A new app would overwrite something, or its name will not do. */
  | 'ProjectExists'
  | 'NameInvalid'
  /** The compiler or the linker refused the sources: see `diagnostics`. */
  | 'CompileFailed'
  | 'LinkFailed'
  /** The toolchain's own process failed, ran out of memory or of time. */
  | 'ToolchainFailed'
  /** There is no compiler where one was named, or none for real-time apps on this machine. */
  | 'CompilerMissing'
  /** The linker's output is not what this SDK knows how to read. */
  | 'UnexpectedModule'
  /** A `$NAME` of the manifest is in no hardware definition, or an override does not fit. */
  | 'ManifestFailed'
  /** A debugger's expression is none, or names what is not there. */
  | 'ExpressionFailed';

/** Refusal to build. */
export class SdkError extends SevenfoldError<SdkErrorCode> {
  /** What compiler and linker said, in their order; empty for other errors. */
  readonly diagnostics: readonly Diagnostic[];

  constructor(
    code: SdkErrorCode,
    message: string,
    where: ErrorPlace & { diagnostics?: readonly Diagnostic[] } = {},
  ) {
    super(code, message, where);
    this.diagnostics = where.diagnostics ?? [];
  }
}
