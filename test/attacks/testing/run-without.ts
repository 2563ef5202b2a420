import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Attack, Edit } from './attack.ts';
import { REPOSITORY, withoutPlugin } from './without.ts';

/**
 * Runs an attack in a world whose sources lack these lines: chip, ROM, stages, all bundled anew from the sources as
 * they are. Nothing of the repository is touched.
 */
export async function runWithout(attackFile: string, edits: readonly Edit[]): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { takeOut } from ${JSON.stringify(join(import.meta.dirname, 'take-out.ts'))};
        takeOut(${JSON.stringify(edits)});
        export { attack } from ${JSON.stringify(attackFile)};`,
      resolveDir: REPOSITORY,
      loader: 'ts',
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2024',
    plugins: [bundlerStaysOutside, withoutPlugin(edits)],
    tsconfigRaw: {},
    write: false,
    logLevel: 'silent',
  });
  const folder = await mkdtemp(join(tmpdir(), 'sevenfold-attack-'));
  try {
    const path = join(folder, 'attack.mjs');
    await writeFile(path, outputFiles[0]?.contents ?? new Uint8Array(0));
    const { attack } = (await import(/* @vite-ignore */ pathToFileURL(path).href)) as { attack: Attack };
    return await attack.run();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The bundler itself is no part of that world, and its own paths would not survive. */
const bundlerStaysOutside = {
  name: 'bundler stays outside',
  setup(builder: Parameters<ReturnType<typeof withoutPlugin>['setup']>[0]) {
    builder.onResolve({ filter: /^esbuild$/ }, () => ({
      path: import.meta.resolve('esbuild'),
      external: true,
    }));
  },
};
