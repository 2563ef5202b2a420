import { SdkError, buildApp, formatDiagnostic, type BuiltApp, type Toolchain } from '@sevenfold/sdk';
import type { Output } from '../narrator.ts';
import { printable } from '../printable.ts';
import { developerKey } from './developer-key.ts';

/** What builds of the command line share. */
export interface AppBuildOptions {
  readonly folder: string;
  /** Absent: nothing is written. */
  readonly outDir?: string;
  readonly hardware?: string;
  readonly defines?: Readonly<Record<string, string>>;
  /** Folder of the compiler for real-time apps. */
  readonly toolchain?: string;
  /** Folder of a FreeRTOS kernel. */
  readonly freertos?: string;
  /** Without optimisation, as debuggers like it. */
  readonly isForDebugger?: boolean;
  readonly environment: NodeJS.ProcessEnv;
  /** Where messages of the compiler go. */
  readonly messages: Output;
}

/** Builds an app; warnings and errors are printed as compilers print them. Throws what `buildApp` throws. */
export async function buildAndTell(options: AppBuildOptions, toolchain?: Toolchain): Promise<BuiltApp> {
  const {
    folder,
    outDir,
    hardware,
    defines,
    toolchain: compiler,
    freertos,
    isForDebugger = false,
    environment,
    messages,
  } = options;
  const tell = (diagnostics: SdkError['diagnostics']): void => {
    for (const diagnostic of diagnostics) messages.write(`${printable(formatDiagnostic(diagnostic))}\n`);
  };
  try {
    const app = await buildApp(
      {
        sourceDir: folder,
        signer: await developerKey(environment),
        isForDebugger,
        ...(outDir === undefined ? {} : { outDir }),
        ...(hardware === undefined ? {} : { hardware }),
        ...(defines === undefined ? {} : { defines }),
        ...(compiler === undefined ? {} : { toolchain: compiler }),
        ...(freertos === undefined ? {} : { freertos }),
      },
      toolchain,
    );
    tell(app.warnings);
    return app;
  } catch (error) {
    if (error instanceof SdkError) tell(error.diagnostics);
    throw error;
  }
}
