import { basename, join } from 'node:path';
import { build } from 'esbuild';

/**
 * A program of this folder as plain scripts, as a product would ship it: what is measured is the device and not the
 * translation of its TypeScript. What the sources load only when it is needed (`import()`) is a script of its own, and
 * loaded as late. Gives the path of the first one.
 */
export async function bundleProgram(name: string, folder: string): Promise<string> {
  const entry = basename(name, '.ts');
  await build({
    entryPoints: [join(import.meta.dirname, name)],
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'es2024',
    minifySyntax: true,
    minifyWhitespace: true,
    minifyIdentifiers: true,
    // Loaded by who bundles stages; a device is given its own.
    external: ['esbuild'],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    logLevel: 'silent',
  });
  return join(folder, `${entry}.mjs`);
}
