import { join } from 'node:path';
import { buildSync } from 'esbuild';

let program: string | null = null;

/** The program of a stage's thread or process as one script, bundled once for all tests. */
export function stageProgram(): string {
  program ??=
    buildSync({
      entryPoints: [join(import.meta.dirname, '../stage-worker.ts')],
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'es2024',
      minifySyntax: true,
      minifyWhitespace: true,
      write: false,
    }).outputFiles[0]?.text ?? '';
  return program;
}
