import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * A program of this folder as one plain script, as a product would ship it: what is measured is the device and not
 * the translation of its TypeScript. Gives the script's path.
 */
export async function bundleProgram(name: string, folder: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, name)],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2024',
    minifySyntax: true,
    minifyWhitespace: true,
    minifyIdentifiers: true,
    // Loaded by who bundles stages; a device is given its own.
    external: ['esbuild'],
    write: false,
    logLevel: 'silent',
  });
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, outputFiles[0]?.contents ?? '');
  return path;
}
