import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  hardwareHeader,
  loadHardwareDefinition,
  utf8Encode,
  type HardwareDefinition,
  type HardwareDefinitionFile,
} from '@sevenfold/formats';
import { SdkError } from './errors.ts';
import type { SourceFile } from './toolchain/job.ts';

const SDK = fileURLToPath(new URL('..', import.meta.url));
const MANIFEST = 'app_manifest.json';
const HARDWARE = 'hardware.json';
/** Never sources: what was built, and what belongs to other tools. */
const SKIPPED: readonly string[] = ['out', 'node_modules'];

/** An app's folder, read: sources, manifest, hardware. */
export interface Project {
  /** C sources and headers, with the header generated from the hardware definition. */
  readonly files: readonly SourceFile[];
  readonly manifest: Uint8Array;
  /** Null: the project has no hardware definition. */
  readonly hardware: HardwareDefinition | null;
  /** Files of the folder `resources`, to be packed beside the app. */
  readonly resources: readonly SourceFile[];
}

/** Files of a folder with all below it, by path with `/`, sorted. */
async function filesBelow(folder: string, skipped: readonly string[] = []): Promise<readonly SourceFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.startsWith('.') && !skipped.includes(path.split('/')[0] ?? ''))
    .sort();
  return Promise.all(
    paths.map(async (path) => ({ path, bytes: new Uint8Array(await readFile(join(folder, path))) })),
  );
}

/** The SDK's own C headers and library sources. */
export async function readSdkFiles(): Promise<{
  headers: readonly SourceFile[];
  library: readonly SourceFile[];
}> {
  return { headers: await filesBelow(join(SDK, 'include')), library: await filesBelow(join(SDK, 'lib')) };
}

async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Definitions import each other relative to themselves, and those of chips and boards from the SDK. */
async function loadHardware(folder: string): Promise<HardwareDefinition | null> {
  if ((await readIfThere(join(folder, HARDWARE))) === null) return null;
  return loadHardwareDefinition(HARDWARE, async (path, from): Promise<HardwareDefinitionFile | null> => {
    for (const base of [from === null ? folder : join(from, '..'), join(SDK, 'hardware')]) {
      const id = join(base, path);
      const content = await readIfThere(id);
      if (content !== null) return { id, content };
    }
    return null;
  });
}

/** Reads an app's folder. Throws `ProjectIncomplete`, or `FormatError` for its hardware definition. */
export async function readProject(folder: string): Promise<Project> {
  const manifest = await readIfThere(join(folder, MANIFEST));
  if (manifest === null) {
    throw new SdkError('ProjectIncomplete', `There is no ${MANIFEST} in ${folder}.`, { field: MANIFEST });
  }
  const all = await filesBelow(folder, SKIPPED);
  const sources = all.filter(({ path }) => /\.[ch]$/.test(path));
  if (!sources.some(({ path }) => path.endsWith('.c'))) {
    throw new SdkError('ProjectIncomplete', `There is no C source in ${folder}.`, { field: '*.c' });
  }
  const hardware = await loadHardware(folder);
  const header =
    hardware === null ? [] : [{ path: 'hw/hardware.h', bytes: utf8Encode(hardwareHeader(hardware)) }];
  const resources = all
    .filter(({ path }) => path.startsWith('resources/'))
    .map(({ path, bytes }) => ({ path: path.slice('resources/'.length), bytes }));
  return { files: [...sources, ...header], manifest, hardware, resources };
}
