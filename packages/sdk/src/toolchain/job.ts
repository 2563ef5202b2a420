import { posix } from 'node:path';
import { APP_MEMORY, type SymbolFunction, type SymbolLine } from '@sevenfold/formats';
import type { Diagnostic } from './diagnostics.ts';

/** A file to compile, by its path in the project; one beside it has a path that begins with `../`. */
export interface SourceFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A clang of the developer's own, which was looked at and will do. */
export interface OwnClang {
  /** Folder of `clang` and `clang++`. */
  readonly bin: string;
  /** First line of what it says about itself. */
  readonly version: string;
  readonly major: number;
  /** Folder of the C library, and what that calls WebAssembly. */
  readonly sysroot: string;
  readonly triple: string;
}

/** One app to compile and link. */
export interface AppJob {
  /** Every file of the project that the compiler may read: sources and headers. */
  readonly files: readonly SourceFile[];
  /** Folders of the project in which headers are looked for, beside the project's own folder. */
  readonly includes: readonly string[];
  readonly defines: Readonly<Record<string, string>>;
  /** Compile the app's own sources for a debugger: every variable in memory, every line where it stands. */
  readonly isForDebugger: boolean;
  /** Null: the compiler of the installation. */
  readonly compiler: OwnClang | null;
}

/** What the toolchain's process is asked to do: the library once, then each app. */
export interface ToolchainRequest {
  readonly headers: readonly SourceFile[];
  readonly library: readonly SourceFile[];
  readonly apps: readonly AppJob[];
  /** Folder in which results are kept by the hash of what went into them. */
  readonly cacheDir: string;
}

/** Asks the toolchain's process to load its tools and to build nothing. */
export const WARM_UP = 'warm up';

/** An app that compiled. */
export interface BuiltModule {
  /** The module as it is shipped: no custom sections. */
  readonly module: Uint8Array;
  /** The linker's output: the same code with names and DWARF. */
  readonly linked: Uint8Array;
  readonly functions: readonly SymbolFunction[];
  readonly lines: readonly SymbolLine[];
  readonly warnings: readonly Diagnostic[];
}

/** Why one did not. */
interface FailedModule {
  readonly code: 'CompileFailed' | 'LinkFailed' | 'UnexpectedModule';
  readonly message: string;
  readonly diagnostics: readonly Diagnostic[];
}

export type AppResult = { readonly built: BuiltModule } | { readonly failed: FailedModule };

/** Linear memory of an app on the reference SKU, so that it runs on every one, and the part of it that is stack. */
export const MEMORY_QUOTA = APP_MEMORY['SF-V1'];
export const STACK_SIZE = 32 * 1024;

/** Where the tools see the app's files and the SDK's. Above an app's folder are four more, for sources beside it. */
const SOURCES = '/app/';
export const PROJECT = `${SOURCES}3/2/1/0/`;
export const SDK_INCLUDE = '/sdk/include/';
export const SDK_LIBRARY = '/sdk/lib/';

/** Where the tools see a file of the project. Null: it is more than four folders above. */
export function compiledPath(path: string): string | null {
  const at = posix.normalize(`${PROJECT}${path}`);
  return at.startsWith(SOURCES) ? at : null;
}

/** A file's path from the project's folder on; null: it is none of the project's. */
export const projectPath = (compiled: string): string | null =>
  compiled.startsWith(SOURCES) ? posix.relative(PROJECT, compiled) : null;
