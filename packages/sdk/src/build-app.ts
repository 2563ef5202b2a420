import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { APP_MANIFEST_PATH, encodeSymbolMap, parseAppManifest, type SymbolMap } from '@sevenfold/formats';
import { SdkError } from './errors.ts';
import { compileForeign, type ForeignModule } from './languages/compile-foreign.ts';
import { makeManifest, type ManifestOverrides } from './manifest.ts';
import { materialsOf, realTimeLibraries, wasmLibraries } from './materials.ts';
import { packImage, type PackOptions } from './pack-image.ts';
import { readProject, readSdkFiles, type Project } from './project.ts';
import { buildProgram, type BuiltProgram } from './realtime/build-program.ts';
import { buildByCmake } from './realtime/cmake.ts';
import { findFreeRtos } from './realtime/freertos.ts';
import type { MemoryUse } from './realtime/memory-use.ts';
import { elfFunctions, unwindRules } from './realtime/unwind-rules.ts';
import { formatDiagnostic, type Diagnostic } from './toolchain/diagnostics.ts';
import type { AppJob, AppResult, BuiltModule, OwnClang, ToolchainRequest } from './toolchain/job.ts';
import { findClang } from './toolchain/own-clang.ts';
import { Toolchain } from './toolchain/run-toolchain.ts';

/** How to build one app. */
export interface BuildOptions extends PackOptions {
  /** Folder with `app_manifest.json`, C sources, and if there is one `hardware.json` and `resources/`. */
  readonly sourceDir: string;
  /**
   * Where to write `<name>.imagepackage`, `<name>.symbols`, `<name>.cdx.json` and `debug/<imageId>.wasm`, or for a
   * real-time app `debug/<imageId>.elf` and `<name>.map`; absent: nowhere.
   */
  readonly outDir?: string;
  /** A hardware definition in place of the project's own: a path, or the name of one of the SDK's. */
  readonly hardware?: string;
  /** Macros for the compiler: `{BLINK_VERSION: '2'}`. */
  readonly defines?: Readonly<Record<string, string>>;
  readonly manifestOverrides?: ManifestOverrides;
  /**
   * Folder of a compiler: for real-time apps of arm-none-eabi-gcc (absent: it is on the path), for others of clang ≥ 19
   * with wasi-libc (absent: that of the installation).
   */
  readonly toolchain?: string;
  /** Folder of a FreeRTOS kernel to build into a real-time app, in place of the one that its `realtime.json` names. */
  readonly freertos?: string;
  /** Compile the app's own sources for a debugger, without optimisation: slower and larger. Default: false. */
  readonly isForDebugger?: boolean;
}

/** An app that was built. */
export interface BuiltApp {
  /** A whole image package, ready for upload. */
  readonly imagePackage: Uint8Array;
  readonly symbols: SymbolMap;
  /** The module, or the ELF file of a real-time app, with names and DWARF, for debuggers. */
  readonly debugModule: Uint8Array;
  /** The same code as it is shipped. */
  readonly executable: Uint8Array;
  /** What was linked, as CycloneDX 1.6 JSON. */
  readonly materials: Uint8Array;
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
  /** What a real-time app takes of its core's memories, and the linker's map; null for a high-level app. */
  readonly realTime: { readonly use: readonly MemoryUse[]; readonly map: Uint8Array } | null;
  readonly warnings: readonly Diagnostic[];
}

/** What compiler and linker made of an app's sources, whichever they were. */
interface Compiled {
  /** What the image's entry point is. */
  readonly executable: Uint8Array;
  readonly debugModule: Uint8Array;
  readonly symbols: Omit<SymbolMap, 'buildId'>;
  readonly libraries: ReturnType<typeof wasmLibraries>;
  readonly realTime: BuiltApp['realTime'];
  readonly warnings: readonly Diagnostic[];
}

/** Results of compilers, by what went in: a folder of this installation. */
const CACHE = fileURLToPath(new URL('../../../.cache/objects', import.meta.url));
/** Builds one app. Throws `SdkError`, or `FormatError` for its manifest or hardware definition. */
export async function buildApp(options: BuildOptions, toolchain?: Toolchain): Promise<BuiltApp> {
  const [app] = await buildApps([options], toolchain);
  if (app === undefined) throw new SdkError('ToolchainFailed', 'The compiler gave no result.');
  return app;
}

/**
 * Builds several apps with one run of the compiler's process, in order. The first that fails, throws. A `toolchain` that
 * is handed in stays warm for the next build; its owner closes it.
 */
export async function buildApps(
  all: readonly BuildOptions[],
  toolchain?: Toolchain,
): Promise<readonly BuiltApp[]> {
  const projects = await Promise.all(
    all.map(async ({ sourceDir, hardware }) => readProject(sourceDir, hardware ?? null)),
  );
  // What is wrong with a manifest is said before the compiler is started.
  const manifests = projects.map((project, index) =>
    makeManifest(project, all[index]?.manifestOverrides ?? {}),
  );
  const isRealTime = manifests.map(
    (manifest) => parseAppManifest(manifest).applicationType === 'RealTimeCapable',
  );
  const others: AppJob[] = [];
  for (const [index, { files, includes, language, defines: own }] of projects.entries()) {
    if (isRealTime[index] === true || language !== null) continue;
    const { defines = {}, isForDebugger = false, toolchain: folder } = all[index] ?? {};
    const compiler = folder === undefined ? null : await findClang(folder);
    others.push({ files, includes, defines: { ...own, ...defines }, isForDebugger, compiler });
  }
  const compilers = others.map(({ compiler }) => compiler);
  const results = [...(await compileAll(others, toolchain))];
  const apps: BuiltApp[] = [];
  for (const [index, options] of all.entries()) {
    const [project, manifest] = [projects[index], manifests[index]];
    if (project === undefined || manifest === undefined)
      throw new SdkError('ToolchainFailed', 'A result is missing.');
    const { language, hardware } = project;
    const compiled =
      isRealTime[index] === true
        ? await compileRealTime(options, project)
        : language !== null
          ? foreignModule(await compileForeign(resolve(options.sourceDir), language, hardware))
          : compiledModule(moduleOf(results.shift(), options.sourceDir), compilers.shift() ?? null);
    apps.push(await pack(options, project, manifest, compiled));
  }
  return apps;
}

/** Compiles the apps that become WebAssembly; where there are none, no compiler is started. */
async function compileAll(
  apps: ToolchainRequest['apps'],
  toolchain: Toolchain | undefined,
): Promise<readonly AppResult[]> {
  if (apps.length === 0) return [];
  const request = { ...(await readSdkFiles()), apps, cacheDir: CACHE };
  return await (toolchain === undefined ? runOnce(request) : toolchain.run(request));
}

async function compileRealTime(options: BuildOptions, project: Project): Promise<Compiled> {
  const { program, linked, lines, use, map, compiler, warnings } = await buildForCore(options, project);
  return {
    executable: program,
    debugModule: linked,
    symbols: { functions: elfFunctions(linked), lines, unwind: unwindRules(linked) },
    libraries: realTimeLibraries(compiler),
    realTime: { use, map },
    warnings,
  };
}

async function buildForCore(options: BuildOptions, project: Project): Promise<BuiltProgram> {
  const { settings, linkerScript, hasCmake } = project.realTime;
  const { defines = {}, sourceDir, freertos = settings.freertos, toolchain = null } = options;
  if (hasCmake) return await buildByCmake({ folder: sourceDir, defines }, toolchain);
  return await buildProgram(
    {
      files: project.files,
      defines,
      memory: settings.memory,
      linkerScript,
      freertos: freertos === null ? null : await findFreeRtos(resolve(sourceDir, freertos)),
    },
    toolchain,
  );
}

function compiledModule(
  { module, linked, functions, lines, warnings }: BuiltModule,
  compiler: OwnClang | null,
): Compiled {
  return {
    executable: module,
    debugModule: linked,
    symbols: { functions, lines },
    libraries: wasmLibraries(compiler),
    realTime: null,
    warnings,
  };
}

function foreignModule({ module, linked, functions, library }: ForeignModule): Compiled {
  return {
    executable: module,
    debugModule: linked,
    symbols: { functions, lines: [] },
    libraries: [library],
    realTime: null,
    warnings: [],
  };
}

async function runOnce(request: ToolchainRequest): Promise<readonly AppResult[]> {
  await using toolchain = new Toolchain();
  return await toolchain.run(request);
}

function moduleOf(result: AppResult | undefined, sourceDir: string): BuiltModule {
  if (result === undefined) throw new SdkError('ToolchainFailed', 'The compiler gave no result.');
  if ('built' in result) return result.built;
  const { code, message, diagnostics } = result.failed;
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  const said = first === undefined ? message : formatDiagnostic(first);
  const field =
    first?.file === null || first?.file === undefined ? sourceDir : `${first.file}:${first.line ?? 0}`;
  throw new SdkError(code, said, { field, diagnostics });
}

async function pack(
  options: BuildOptions,
  project: Project,
  manifestBytes: Uint8Array,
  { executable, debugModule, symbols, libraries, realTime, warnings }: Compiled,
): Promise<BuiltApp> {
  const { entryPoint } = parseAppManifest(manifestBytes);
  const files = [
    { path: APP_MANIFEST_PATH, bytes: manifestBytes },
    { path: entryPoint, bytes: executable, executable: true },
    ...project.resources.map(({ path, bytes }) => ({ path: `/${path}`, bytes })),
  ];
  const packed = await packImage({ manifestBytes, files }, options);
  const { imageId, componentId, name } = packed;
  const app: BuiltApp = {
    ...packed,
    symbols: { buildId: imageId, ...symbols },
    debugModule,
    executable,
    materials: materialsOf({ componentId, imageId, name, lines: symbols.lines, libraries }),
    realTime,
    warnings: [...project.notes, ...warnings],
  };
  if (options.outDir !== undefined) await writeApp(options.outDir, app);
  return app;
}

async function writeApp(outDir: string, app: BuiltApp): Promise<void> {
  const { name, imageId, realTime } = app;
  await mkdir(join(outDir, 'debug'), { recursive: true });
  await writeFile(join(outDir, `${name}.imagepackage`), app.imagePackage);
  await writeFile(join(outDir, `${name}.symbols`), encodeSymbolMap(app.symbols));
  await writeFile(join(outDir, `${name}.cdx.json`), app.materials);
  const kind = realTime === null ? 'wasm' : 'elf';
  await writeFile(join(outDir, 'debug', `${imageId}.${kind}`), app.debugModule);
  if (realTime !== null) await writeFile(join(outDir, `${name}.map`), realTime.map);
}
