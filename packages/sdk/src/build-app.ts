import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ABI_KINDS,
  APP_MANIFEST_PATH,
  APPLICATION_RUNTIME_VERSION,
  encodeSymbolMap,
  encodeUnsignedImagePackage,
  finishImagePackage,
  guidFromRandom,
  IMAGE_TYPES,
  parseAppManifest,
  TEMPORARY_FLAGS,
  utf8Encode,
  writeFileSystem,
  type SymbolMap,
} from '@sevenfold/formats';
import { SdkError } from './errors.ts';
import { makeManifest, type ManifestOverrides } from './manifest.ts';
import { materialsOf } from './materials.ts';
import { readProject, readSdkFiles, type Project } from './project.ts';
import { formatDiagnostic, type Diagnostic } from './toolchain/diagnostics.ts';
import type { AppResult, BuiltModule, ToolchainRequest } from './toolchain/job.ts';
import { Toolchain } from './toolchain/run-toolchain.ts';

/** How to build one app. */
export interface BuildOptions {
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
  /** The development key that signs; the service signs again when the image is uploaded. */
  readonly signer: {
    /** SHA-1 of the key's SPKI: 20 bytes. */
    readonly thumbprint: Uint8Array;
    /** r‖s (64 bytes), ECDSA P-256 over SHA-256 of `message`. */
    sign(message: Uint8Array): Promise<Uint8Array>;
  };
  /** Canonical GUID of this build; absent: a random one, since every build is a new image. */
  readonly imageId?: string;
  /** Seconds since 1970; absent: now. */
  readonly buildTime?: number;
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
/** Bytes of the metadata's name that survive (azure-sphere.md §2.4). */
const LONGEST_NAME = 31;

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

/** At most so many bytes of UTF-8, whole characters. */
function shortName(name: string): string {
  let short = name;
  while (utf8Encode(short).length > LONGEST_NAME) short = Array.from(short).slice(0, -1).join('');
  return short;
}

async function pack(
  options: BuildOptions,
  project: Project,
  manifestBytes: Uint8Array,
  built: BuiltModule,
): Promise<BuiltApp> {
  const manifest = parseAppManifest(manifestBytes);
  const payload = writeFileSystem([
    { path: APP_MANIFEST_PATH, bytes: manifestBytes },
    { path: manifest.entryPoint, bytes: built.module, executable: true },
    ...project.resources.map(({ path, bytes }) => ({ path: `/${path}`, bytes })),
  ]);
  const imageId = options.imageId ?? guidFromRandom(new Uint8Array(randomBytes(16)));
  const unsigned = encodeUnsignedImagePackage(payload, {
    imageType: IMAGE_TYPES.Applications,
    componentId: manifest.componentId,
    imageId,
    name: shortName(manifest.name),
    buildTime: options.buildTime ?? Math.floor(Date.now() / 1000),
    signerThumbprint: options.signer.thumbprint,
    temporaryFlags: TEMPORARY_FLAGS.underDevelopment,
    abiDepends: [{ version: APPLICATION_RUNTIME_VERSION, kind: ABI_KINDS.ApplicationRuntime }],
  });
  const imagePackage = finishImagePackage(unsigned, await options.signer.sign(unsigned));
  const symbols: SymbolMap = { buildId: imageId, functions: built.functions, lines: built.lines };
  const { componentId, name } = manifest;
  const app: BuiltApp = {
    imagePackage,
    symbols,
    debugModule: built.linked,
    materials: materialsOf({ componentId, imageId, name, lines: built.lines }),
    imageId,
    componentId,
    name,
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
