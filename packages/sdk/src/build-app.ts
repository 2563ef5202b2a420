import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { APP_MANIFEST_PATH, encodeSymbolMap, parseAppManifest, type SymbolMap } from '@sevenfold/formats';
import { SdkError } from './errors.ts';
import { makeManifest, type ManifestOverrides } from './manifest.ts';
import { materialsOf } from './materials.ts';
import { packImage, type PackOptions } from './pack-image.ts';
import { readProject, readSdkFiles, type Project } from './project.ts';
import { formatDiagnostic, type Diagnostic } from './toolchain/diagnostics.ts';
import type { AppResult, BuiltModule, ToolchainRequest } from './toolchain/job.ts';
import { Toolchain } from './toolchain/run-toolchain.ts';

/** How to build one app. */
export interface BuildOptions extends PackOptions {
  /** Folder with `app_manifest.json`, C sources, and if there is one `hardware.json` and `resources/`. */
  readonly sourceDir: string;
  /**
   * Where to write `<name>.imagepackage`, `<name>.symbols`, `<name>.cdx.json` and `debug/<imageId>.wasm`; absent:
   * nowhere.
   */
  readonly outDir?: string;
  /** A hardware definition in place of the project's own: a path, or the name of one of the SDK's. */
  readonly hardware?: string;
  /** Macros for the compiler: `{BLINK_VERSION: '2'}`. */
  readonly defines?: Readonly<Record<string, string>>;
  readonly manifestOverrides?: ManifestOverrides;
}

/** An app that was built. */
export interface BuiltApp {
  /** A whole image package, ready for upload. */
  readonly imagePackage: Uint8Array;
  readonly symbols: SymbolMap;
  /** The module with names and DWARF, for debuggers. */
  readonly debugModule: Uint8Array;
  /** What was linked, as CycloneDX 1.6 JSON. */
  readonly materials: Uint8Array;
  readonly imageId: string;
  readonly componentId: string;
  readonly name: string;
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
  const sdk = await readSdkFiles();
  const request = {
    ...sdk,
    apps: projects.map(({ files }, index) => ({ files, defines: all[index]?.defines ?? {} })),
    cacheDir: CACHE,
  };
  const results = await (toolchain === undefined ? runOnce(request) : toolchain.run(request));
  const apps: BuiltApp[] = [];
  for (const [index, options] of all.entries()) {
    const [project, manifest] = [projects[index], manifests[index]];
    if (project === undefined || manifest === undefined)
      throw new SdkError('ToolchainFailed', 'A result is missing.');
    apps.push(await pack(options, project, manifest, moduleOf(results[index], options.sourceDir)));
  }
  return apps;
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
  built: BuiltModule,
): Promise<BuiltApp> {
  const { entryPoint } = parseAppManifest(manifestBytes);
  const files = [
    { path: APP_MANIFEST_PATH, bytes: manifestBytes },
    { path: entryPoint, bytes: built.module, executable: true },
    ...project.resources.map(({ path, bytes }) => ({ path: `/${path}`, bytes })),
  ];
  const packed = await packImage({ manifestBytes, files }, options);
  const { imageId, componentId, name } = packed;
  const app: BuiltApp = {
    ...packed,
    symbols: { buildId: imageId, functions: built.functions, lines: built.lines },
    debugModule: built.linked,
    materials: materialsOf({ componentId, imageId, name, lines: built.lines }),
    warnings: built.warnings,
  };
  if (options.outDir !== undefined) await writeApp(options.outDir, app);
  return app;
}

async function writeApp(outDir: string, app: BuiltApp): Promise<void> {
  const { name, imageId } = app;
  await mkdir(join(outDir, 'debug'), { recursive: true });
  await writeFile(join(outDir, `${name}.imagepackage`), app.imagePackage);
  await writeFile(join(outDir, `${name}.symbols`), encodeSymbolMap(app.symbols));
  await writeFile(join(outDir, `${name}.cdx.json`), app.materials);
  await writeFile(join(outDir, 'debug', `${imageId}.wasm`), app.debugModule);
}
