import { existsSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isJsonObject, parseJson, type HardwareDefinition } from '@sevenfold/formats';
import { CMAKE_FILE, readCMake, type CMakeProject } from './cmake/read-cmake.ts';
import { SdkError } from './errors.ts';
import { projectHardware, readIfThere } from './hardware.ts';
import { foreignLanguage, type ForeignLanguage } from './languages/compile-foreign.ts';
import { parseSettings, SETTINGS_FILE, type RealTimeSettings } from './realtime/settings.ts';
import type { Diagnostic } from './toolchain/diagnostics.ts';
import { compiledPath, projectPath, SDK_INCLUDE, SDK_LIBRARY, type SourceFile } from './toolchain/job.ts';

const SDK = fileURLToPath(new URL('..', import.meta.url));
const LINKER_SCRIPT = 'linker.ld';
/** An app's manifest, as its developer writes it. */
export const MANIFEST = 'app_manifest.json';
/** Never sources: what was built, what tests it, and what belongs to other tools. */
const SKIPPED: readonly string[] = ['out', 'node_modules', 'tests'];
/** Deeper than any project's folders; a link that leads back up ends here. */
const DEEPEST = 32;
const SOURCE = /\.(?:c|cc|cpp|cxx)$/;
const READ_BY_COMPILER = /\.(?:c|cc|cpp|cxx|h|hh|hpp|inc)$/;

/** An app's folder, read: sources, manifest, hardware. */
export interface Project {
  /** C and C++ sources and headers, with the headers generated from hardware definitions. */
  readonly files: readonly SourceFile[];
  /** Folders in which headers are looked for, beside the project's own. */
  readonly includes: readonly string[];
  /** Macros that the project sets itself. */
  readonly defines: Readonly<Record<string, string>>;
  /** What its build file says and is not done. */
  readonly notes: readonly Diagnostic[];
  readonly manifest: Uint8Array;
  readonly hardware: HardwareDefinition;
  /** What only real-time apps have. */
  readonly realTime: {
    readonly settings: RealTimeSettings;
    readonly linkerScript: Uint8Array | null;
    /** It says by itself how it is built. */
    readonly hasCmake: boolean;
  };
  /** Null: C or C++. */
  readonly language: ForeignLanguage | null;
  /** Files to be packed beside the app: of the folder `resources`, or those that its build file names. */
  readonly resources: readonly SourceFile[];
}

/** Files of a folder with all below it, by path with `/`, sorted. */
async function filesBelow(
  folder: string,
  skipped: readonly string[] = [],
  depth = DEEPEST,
): Promise<readonly SourceFile[]> {
  const paths: string[] = [];
  const walk = async (at: string, left: number): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      const path = relative(folder, join(at, entry.name)).split(sep).join('/');
      if (entry.name.startsWith('.') || skipped.includes(path)) continue;
      // A folder with a manifest of its own is another app.
      if (entry.isDirectory() && left > 0 && !existsSync(join(at, entry.name, MANIFEST)))
        await walk(join(at, entry.name), left - 1);
      else if (entry.isFile()) paths.push(path);
    }
  };
  await walk(folder, depth);
  return Promise.all(
    paths.sort().map(async (path) => ({ path, bytes: new Uint8Array(await readFile(join(folder, path))) })),
  );
}

/** Folders of the SDK's sources, as the compiler names them and where they are. */
const SDK_FOLDERS: readonly (readonly [compiled: string, path: string])[] = [
  [SDK_INCLUDE, join(SDK, 'include')],
  [SDK_LIBRARY, join(SDK, 'lib')],
];

const pathFrom = (folder: string, path: string): string => relative(folder, path).split(sep).join('/');

/** What debug information calls a file of an app's folder or of the SDK; null: it is in neither. */
export function compiledName(folder: string, path: string): string | null {
  for (const [compiled, base] of SDK_FOLDERS) {
    const below = pathFrom(base, path);
    if (!below.startsWith('..')) return `${compiled}${below}`;
  }
  return compiledPath(pathFrom(folder, path));
}

/** Where a file is that debug information names; null: it came with the compiler. */
export function sourcePath(folder: string, compiledAs: string): string | null {
  const found = SDK_FOLDERS.find(([compiled]) => compiledAs.startsWith(compiled));
  if (found !== undefined) return join(found[1], compiledAs.slice(found[0].length));
  const own = projectPath(compiledAs);
  return own === null ? null : join(folder, own);
}

/** Folders in an app's that are apps of their own, sorted: what runs on the same device. */
export async function appsBeside(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter(({ name }) => !name.startsWith('.') && !SKIPPED.includes(name))
    .map(({ name }) => join(folder, name))
    .filter((path) => existsSync(join(path, MANIFEST)))
    .toSorted();
}

/** The SDK's own C headers and library sources. */
export async function readSdkFiles(): Promise<{
  headers: readonly SourceFile[];
  library: readonly SourceFile[];
}> {
  return { headers: await filesBelow(join(SDK, 'include')), library: await filesBelow(join(SDK, 'lib')) };
}

/**
 * Reads an app's folder; `hardware` names a definition in place of the project's own.
 * Throws `ProjectIncomplete`, or `FormatError` for its hardware definition.
 */
export async function readProject(folder: string, hardware: string | null = null): Promise<Project> {
  const manifest = await readIfThere(join(folder, MANIFEST));
  if (manifest === null) {
    throw new SdkError('ProjectIncomplete', `There is no ${MANIFEST} in ${folder}.`, { field: MANIFEST });
  }
  const hasCmake = existsSync(join(folder, CMAKE_FILE));
  // For a real-time app CMake itself is run.
  const cmake = hasCmake && !isRealTime(manifest) ? readCMake(folder) : null;
  const { files, resources } =
    cmake === null ? await filesOfFolder(folder) : await filesOfBuild(folder, cmake);
  const language = foreignLanguage(folder);
  if (language === null && !files.some(({ path }) => SOURCE.test(path))) {
    throw new SdkError('ProjectIncomplete', `There is no C source in ${folder}.`, { field: '*.c' });
  }
  const { definition, headers } = await projectHardware(folder, hardware, cmake?.hardware ?? null);
  const realTime = {
    settings: parseSettings(await readIfThere(join(folder, SETTINGS_FILE))),
    linkerScript: await readIfThere(join(folder, LINKER_SCRIPT)),
    hasCmake,
  };
  return {
    files: [...files, ...headers],
    includes: (cmake?.includes ?? []).map((path) => pathFrom(folder, path)),
    defines: Object.fromEntries((cmake?.defines ?? []).filter(isNotOurs).map(macro)),
    notes: cmake?.notes ?? [],
    manifest,
    hardware: definition,
    resources,
    realTime,
    language,
  };
}

/** What is wrong with a manifest is said when it is packed. */
function isRealTime(manifest: Uint8Array): boolean {
  const json = parseJson(manifest);
  return isJsonObject(json) && json.get('ApplicationType') === 'RealTimeCapable';
}

/** A definition for `-D`, as name and value: `1` where it has none. */
function macro(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, '1'] : [text.slice(0, at), text.slice(at + 1)];
}

/** Every source is compiled with it anyway. */
const isNotOurs = (text: string): boolean => macro(text)[0] !== '_GNU_SOURCE';

type Files = Pick<Project, 'files' | 'resources'>;

/** Everything in the folder, which is how a project without a build file says what it is made of. */
async function filesOfFolder(folder: string): Promise<Files> {
  const all = await filesBelow(folder, SKIPPED);
  const isResource = ({ path }: SourceFile): boolean => path.startsWith('resources/');
  return {
    files: all.filter((file) => READ_BY_COMPILER.test(file.path) && !isResource(file)),
    resources: all
      .filter(isResource)
      .map(({ path, bytes }) => ({ path: path.slice('resources/'.length), bytes })),
  };
}

/** The sources that a build file names, all headers that they may include, and its resources. */
async function filesOfBuild(folder: string, build: CMakeProject): Promise<Files> {
  const isHeader = ({ path }: SourceFile): boolean => READ_BY_COMPILER.test(path) && !SOURCE.test(path);
  const found = (await filesBelow(folder, ['out', 'node_modules'])).filter(isHeader);
  const isOutside = (path: string): boolean => pathFrom(folder, path).startsWith('../');
  const beside = new Set(
    [...build.includes, ...build.sources.map((path) => dirname(path))].filter(isOutside),
  );
  for (const path of beside) {
    if (!existsSync(path) || !statSync(path).isDirectory()) continue;
    // A folder that holds the project is not searched to its depths.
    const isAbove = !pathFrom(path, folder).startsWith('../');
    const headers = (await filesBelow(path, [], isAbove ? 0 : DEEPEST)).filter(isHeader);
    found.push(...headers.map((file) => ({ ...file, path: pathFrom(folder, join(path, file.path)) })));
  }
  for (const path of build.sources) found.push(await named(folder, path));
  const files = [...new Map(found.map((file) => [file.path, file])).values()];
  const tooFar = files.find(({ path }) => compiledPath(path) === null);
  if (tooFar !== undefined) {
    throw new SdkError('ProjectIncomplete', `${tooFar.path} is more than four folders above the app's.`, {
      field: CMAKE_FILE,
    });
  }
  const resources: SourceFile[] = [];
  for (const name of build.resources) {
    const resource = await named(folder, join(folder, name));
    if (!resource.path.startsWith('../')) resources.push(resource);
    else
      throw new SdkError('ProjectIncomplete', `${name} is not in the app's folder.`, { field: CMAKE_FILE });
  }
  return { files, resources };
}

/** A file that the build file names. Throws `ProjectIncomplete` where it is not there. */
async function named(folder: string, path: string): Promise<SourceFile> {
  const bytes = await readIfThere(path);
  const shown = pathFrom(folder, path);
  if (bytes !== null) return { path: shown, bytes };
  throw new SdkError('ProjectIncomplete', `There is no ${shown}, which ${CMAKE_FILE} names.`, {
    field: shown,
  });
}
