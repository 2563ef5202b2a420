import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HardwareDefinition } from '@sevenfold/formats';
import { SdkError } from './errors.ts';
import { projectHardware, readIfThere } from './hardware.ts';
import { foreignLanguage, type ForeignLanguage } from './languages/compile-foreign.ts';
import { CMAKE_FILE } from './realtime/cmake.ts';
import { parseSettings, SETTINGS_FILE, type RealTimeSettings } from './realtime/settings.ts';
import { PROJECT, SDK_INCLUDE, SDK_LIBRARY, type SourceFile } from './toolchain/job.ts';

const SDK = fileURLToPath(new URL('..', import.meta.url));
const LINKER_SCRIPT = 'linker.ld';
/** An app's manifest, as its developer writes it. */
export const MANIFEST = 'app_manifest.json';
/** Never sources: what was built, what tests it, and what belongs to other tools. */
const SKIPPED: readonly string[] = ['out', 'node_modules', 'tests'];
const SOURCE = /\.(?:c|cc|cpp|cxx)$/;
const READ_BY_COMPILER = /\.(?:c|cc|cpp|cxx|h|hh|hpp|inc)$/;

/** An app's folder, read: sources, manifest, hardware. */
export interface Project {
  /** C and C++ sources and headers, with the headers generated from hardware definitions. */
  readonly files: readonly SourceFile[];
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
  /** Files of the folder `resources`, to be packed beside the app. */
  readonly resources: readonly SourceFile[];
}

/** Files of a folder with all below it, by path with `/`, sorted. */
async function filesBelow(folder: string, skipped: readonly string[] = []): Promise<readonly SourceFile[]> {
  const paths: string[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      const path = relative(folder, join(at, entry.name)).split(sep).join('/');
      if (entry.name.startsWith('.') || skipped.includes(path)) continue;
      // A folder with a manifest of its own is another app.
      if (entry.isDirectory() && !existsSync(join(at, entry.name, MANIFEST)))
        await walk(join(at, entry.name));
      else if (entry.isFile()) paths.push(path);
    }
  };
  await walk(folder);
  return Promise.all(
    paths.sort().map(async (path) => ({ path, bytes: new Uint8Array(await readFile(join(folder, path))) })),
  );
}

/** Folders of sources, as the compiler names them and where they are. */
const sourceFolders = (folder: string): readonly (readonly [compiled: string, path: string])[] => [
  [SDK_INCLUDE, join(SDK, 'include')],
  [SDK_LIBRARY, join(SDK, 'lib')],
  [PROJECT, folder],
];

/** What debug information calls a file of an app's folder or of the SDK; null: it is in neither. */
export function compiledName(folder: string, path: string): string | null {
  for (const [compiled, base] of sourceFolders(folder)) {
    const below = relative(base, path).split(sep).join('/');
    if (!below.startsWith('..') && !isAbsolute(below)) return `${compiled}${below}`;
  }
  return null;
}

/** Where a file is that debug information names; null: it came with the compiler. */
export function sourcePath(folder: string, compiledAs: string): string | null {
  const found = sourceFolders(folder).find(([compiled]) => compiledAs.startsWith(compiled));
  return found === undefined ? null : join(found[1], compiledAs.slice(found[0].length));
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
  const all = await filesBelow(folder, SKIPPED);
  const files = all.filter(({ path }) => READ_BY_COMPILER.test(path) && !path.startsWith('resources/'));
  const language = foreignLanguage(folder);
  if (language === null && !files.some(({ path }) => SOURCE.test(path))) {
    throw new SdkError('ProjectIncomplete', `There is no C source in ${folder}.`, { field: '*.c' });
  }
  const { definition, headers } = await projectHardware(folder, hardware);
  const resources = all
    .filter(({ path }) => path.startsWith('resources/'))
    .map(({ path, bytes }) => ({ path: path.slice('resources/'.length), bytes }));
  const realTime = {
    settings: parseSettings(await readIfThere(join(folder, SETTINGS_FILE))),
    linkerScript: await readIfThere(join(folder, LINKER_SCRIPT)),
    hasCmake: existsSync(join(folder, CMAKE_FILE)),
  };
  return { files: [...files, ...headers], manifest, hardware: definition, resources, realTime, language };
}
