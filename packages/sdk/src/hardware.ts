import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
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

/** Where the SDK's own definitions of chips and boards are. */
const PUBLISHED = fileURLToPath(new URL('../hardware', import.meta.url));
/** What an app that brings no definition is built for: the abstraction that samples use, on the virtual board. */
const SAMPLE_APPLIANCE = 'sample_appliance.json';

/** A file's content; null where there is none. */
export async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** The header that a definition stands for: `hw/sample_appliance.h` for `sample_appliance.json`. */
export function headerName(path: string): string {
  return `hw/${basename(path).replace(/\.json$/i, '')}.h`;
}

/**
 * Reads a definition with all that it imports: relative to the file that imports, then from the SDK.
 * Throws `FormatError`.
 */
export function readHardware(path: string): Promise<HardwareDefinition> {
  return loadHardwareDefinition(path, async (wanted, from): Promise<HardwareDefinitionFile | null> => {
    const places = from === null ? [wanted] : [join(from, '..', wanted), join(PUBLISHED, wanted)];
    for (const id of places) {
      const content = await readIfThere(id);
      if (content !== null) return { id, content };
    }
    return null;
  });
}

/** The board that an app is built for, and the headers that its sources may include. */
export interface ProjectHardware {
  readonly definition: HardwareDefinition;
  readonly headers: readonly SourceFile[];
}

/**
 * The definition that is named (a path, or the name of one of the SDK's), else the one of the project's build file, else
 * its `hardware.json`, else the SDK's sample appliance; with its header, and those of all definitions of the SDK. Throws
 * `FormatError`.
 */
export async function projectHardware(
  folder: string,
  named: string | null,
  built: string | null = null,
): Promise<ProjectHardware> {
  const own = join(folder, 'hardware.json');
  const wanted = named ?? built;
  const places =
    wanted === null
      ? [own, join(PUBLISHED, SAMPLE_APPLIANCE)]
      : [...(named === null ? [] : [named]), resolve(folder, wanted), join(PUBLISHED, basename(wanted))];
  for (const path of places) {
    if ((await readIfThere(path)) === null) continue;
    const definition = await readHardware(path);
    return {
      definition,
      headers: [headerOf(path, definition), ...(await publishedHeaders(headerName(path)))],
    };
  }
  throw new SdkError('ProjectIncomplete', `There is no hardware definition ${wanted ?? ''}.`, {
    field: wanted ?? 'hardware.json',
  });
}

const headerOf = (path: string, definition: HardwareDefinition): SourceFile => ({
  path: headerName(path),
  bytes: utf8Encode(hardwareHeader(definition)),
});

let published: Promise<readonly SourceFile[]> | null = null;

/** Headers of the SDK's own definitions, but for one name that the project uses itself. */
async function publishedHeaders(taken: string): Promise<readonly SourceFile[]> {
  published ??= readdir(PUBLISHED, { recursive: true }).then((names) =>
    Promise.all(
      names
        .filter((name) => /^[^/]*\.json$/.test(name))
        .map(async (name) => headerOf(name, await readHardware(join(PUBLISHED, name)))),
    ),
  );
  return (await published).filter(({ path }) => path !== taken);
}
