import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { buildCommand, buildRouteMap, type RouteMap } from '@stricli/core';
import {
  APP_MANIFEST_PATH,
  IMAGE_TYPES,
  parseAppImage,
  parseFileSystem,
  parseImagePackage,
  toHex,
  type FileEntry,
} from '@sevenfold/formats';
import { packImage } from '@sevenfold/sdk';
import { positionals, serviceFlags, textFlag, type CliContext } from '../context.ts';
import { printableJson } from '../printable.ts';
import { readInput } from '../read-input.ts';
import { formatProperties } from '../table.ts';

const IMAGE_TYPE_NAMES = new Map<number, string>(
  Object.entries(IMAGE_TYPES).map(([name, value]) => [value, name]),
);
const PACKAGE_FILE = { brief: 'The image package', placeholder: 'FILE' } as const;
const EXECUTABLE = 0o111;

/** Files of a folder as they go into an image. */
async function readTree(folder: string): Promise<readonly FileEntry[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    paths.sort().map(async (path) => ({
      path: `/${relative(folder, path).split(sep).join('/')}`,
      bytes: await readInput(path),
      executable: ((await stat(path)).mode & EXECUTABLE) !== 0,
    })),
  );
}

export const imagePackageCommands: RouteMap<CliContext> = buildRouteMap({
  docs: { brief: 'Image packages on this machine' },
  routes: {
    show: buildCommand<{ readonly json: boolean }, [string], CliContext>({
      docs: { brief: 'Show what an image package says of itself and what it carries' },
      parameters: { flags: { json: serviceFlags.json }, positional: positionals(PACKAGE_FILE) },
      async func(flags, path) {
        const { fields, payload } = parseImagePackage(await readInput(path));
        const files = parseFileSystem(payload);
        const shown = {
          imageId: fields.imageId,
          componentId: fields.componentId,
          imageType: IMAGE_TYPE_NAMES.get(fields.imageType) ?? String(fields.imageType),
          name: fields.name,
          built: new Date(fields.buildTime * 1000).toISOString(),
          signer: toHex(fields.signerThumbprint),
          securityVersion: fields.securityVersion?.version ?? null,
          files: files.paths().map((file) => ({ path: file, bytes: files.read(file)?.length ?? 0 })),
        };
        this.process.stdout.write(
          flags.json
            ? `${printableJson(shown)}\n`
            : formatProperties([
                ['image', shown.imageId],
                ['component', shown.componentId],
                ['type', shown.imageType],
                ['name', shown.name],
                ['built', shown.built],
                ['signer (SHA-1 of its key)', shown.signer],
                ['security version', shown.securityVersion === null ? '–' : String(shown.securityVersion)],
                ['files', shown.files.map((file) => `${file.path}  ${file.bytes} bytes`)],
              ]),
        );
      },
    }),
    unpack: buildCommand<{ readonly out: string }, [string], CliContext>({
      docs: { brief: 'Write the files of an image package into a folder' },
      parameters: {
        flags: { out: textFlag('Where to write', 'DIR') },
        positional: positionals(PACKAGE_FILE),
      },
      async func({ out }, path) {
        const files = parseFileSystem(parseImagePackage(await readInput(path)).payload);
        const folder = resolve(out);
        for (const file of files.paths()) {
          // The parser lets no path lead out of the image; this is the second lock on a door to somebody's disk.
          const target = resolve(folder, `.${file}`);
          if (!target.startsWith(`${folder}${sep}`)) continue;
          await mkdir(dirname(target), { recursive: true });
          await writeFile(target, files.read(file) ?? new Uint8Array(0), {
            mode: files.isExecutable(file) ? 0o755 : 0o644,
          });
          this.process.stdout.write(`${target}\n`);
        }
      },
    }),
    pack: buildCommand<{ readonly out: string }, [string], CliContext>({
      docs: {
        brief: 'Pack a folder with app_manifest.json and its entry point into an image package',
        fullDescription:
          'The manifest goes in as it is: names of a hardware definition are the business of `app build`. The developer’s key signs.',
      },
      parameters: {
        flags: { out: textFlag('The image package to write', 'FILE') },
        positional: positionals({ brief: 'Folder of the files', placeholder: 'DIR' }),
      },
      async func({ out }, folder) {
        const { developerKey } = await import('../app/developer-key.ts');
        const manifestBytes = await readInput(join(folder, APP_MANIFEST_PATH));
        const files = await readTree(folder);
        const { imagePackage, imageId } = await packImage(
          { manifestBytes, files },
          { signer: await developerKey(this.process.env) },
        );
        // What was packed is read back as a device would.
        parseAppImage(parseImagePackage(imagePackage).payload);
        await writeFile(out, imagePackage);
        this.process.stdout.write(`${out}  ${imagePackage.length} bytes, image ${imageId}\n`);
      },
    }),
  },
});
