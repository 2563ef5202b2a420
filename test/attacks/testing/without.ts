import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';
import type { Edit } from './attack.ts';

/** The repository's root. The bundler replaces the expression by the place of this very file. */
export const REPOSITORY = join(import.meta.dirname, '../../..');

/** Bundles the sources with these edits. A line that is not there exactly once fails the build: it has moved on. */
export function withoutPlugin(edits: readonly Edit[]): Plugin {
  return {
    name: 'without',
    setup(build) {
      build.onLoad({ filter: /\/(packages|test)\/.*\.ts$/ }, ({ path }) => {
        const file = relative(REPOSITORY, path);
        let contents = readFileSync(path, 'utf8');
        for (const { line, instead } of edits.filter((edit) => edit.file === file)) {
          if (contents.split(line).length !== 2) throw new Error(`${file} does not hold once: ${line}`);
          contents = contents.replace(line, () => instead);
        }
        contents = contents
          .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
          .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href));
        return { contents, loader: 'ts' };
      });
    },
  };
}
