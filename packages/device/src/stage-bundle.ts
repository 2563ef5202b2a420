import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import type * as Bundler from 'esbuild';
import { DeviceError } from './errors.ts';

/** What is bundled: the four stages and the program that runs beside every app. */
export type BundleName = 'pluton' | 'monitor' | 'kernel' | 'services' | 'compartment';

/** Where the sources of the OS are: asked by who bundles alone. */
const osSources = (): string => dirname(createRequire(import.meta.url).resolve('@sevenfold/os'));
const repository = (): string => join(osSources(), '../../..');

interface BundleRow {
  readonly entry: string;
  /** The folder whose code may be in the bundle, besides `@sevenfold/formats`. */
  readonly folder: string;
}

const BUNDLES: Readonly<Record<BundleName, BundleRow>> = {
  pluton: { entry: 'pluton/main.ts', folder: 'pluton' },
  monitor: { entry: 'monitor/main.ts', folder: 'monitor' },
  kernel: { entry: 'kernel/main.ts', folder: 'kernel' },
  services: { entry: 'services/main.ts', folder: 'services' },
  compartment: { entry: 'kernel/compartment/main.ts', folder: 'kernel' },
};

/**
 * Bundles one stage from this repository's own sources into one script that imports nothing and leaves its module
 * in the global `stage` (architecture.md §3.2). The same sources and version give the same bytes, wherever they lie.
 */
export async function bundleStage(name: BundleName, version: string): Promise<Uint8Array> {
  const row = BUNDLES[name];
  const result = await run(name, row, version);
  requireSelfContained(name, row, result);
  const output = result.outputFiles[0];
  if (output === undefined) throw new DeviceError('BundleFailed', `The stage ${name} gave no bundle.`);
  // Devices refuse a bundle that holds this word anywhere, so that no dynamic import can hide (os/board/realm.ts).
  const place = /.{0,40}\bimport\b.{0,40}/.exec(output.text);
  if (place !== null) {
    throw new DeviceError(
      'BundleNotSelfContained',
      `The stage ${name} holds the word "import": ${place[0]}`,
      {
        rule: 'not even in a text',
      },
    );
  }
  return new Uint8Array(output.contents);
}

/** The bundler is large: only who bundles loads it. */
const bundler = (): Promise<typeof Bundler> => import('esbuild');

let users = 0;

/** Runs `work`, which bundles, and ends the bundler's process when nobody uses it any more. */
export async function withBundler<T>(work: () => Promise<T>): Promise<T> {
  users += 1;
  try {
    return await work();
  } finally {
    users -= 1;
    if (users === 0) await (await bundler()).stop();
  }
}

/** Programs of threads that were asked for in this process, by their file. */
const threadPrograms = new Map<string, Promise<string>>();

/**
 * The program of a stage's thread as one script of plain JavaScript. A thread that had to translate its sources by
 * itself would take twice as long to start and 10 MB more, each. Made once a process.
 */
export function bundleStageWorker(): Promise<string> {
  return bundleThread(join(osSources(), 'board/stage-worker.ts'));
}

/** The program of a real-time core's thread, likewise. */
export function bundleCoreWorker(): Promise<string> {
  const siliconSources = dirname(createRequire(import.meta.url).resolve('@sevenfold/silicon'));
  return bundleThread(join(siliconSources, 'cores/core-worker.ts'));
}

function bundleThread(entry: string): Promise<string> {
  const known = threadPrograms.get(entry);
  if (known !== undefined) return known;
  const made = buildThread(entry).catch((error: unknown) => {
    threadPrograms.delete(entry);
    throw error;
  });
  threadPrograms.set(entry, made);
  return made;
}

function buildThread(entry: string): Promise<string> {
  return withBundler(async () => {
    const { build } = await bundler();
    const { outputFiles } = await build({
      absWorkingDir: repository(),
      entryPoints: [entry],
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'es2024',
      treeShaking: true,
      minifySyntax: true,
      minifyWhitespace: true,
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
      write: false,
      logLevel: 'silent',
    });
    return outputFiles[0]?.text ?? '';
  });
}

async function run(name: BundleName, row: BundleRow, version: string) {
  try {
    const { build } = await bundler();
    return await build({
      absWorkingDir: repository(),
      entryPoints: [join(osSources(), row.entry)],
      bundle: true,
      format: 'iife',
      globalName: 'stage',
      target: 'es2024',
      platform: 'neutral',
      packages: 'bundle',
      treeShaking: true,
      minifySyntax: true,
      minifyWhitespace: true,
      // Debuggers of apps know the program beside an app by its names; nobody knows the others by theirs.
      minifyIdentifiers: name !== 'compartment',
      // A text of one byte a character is read and compiled in three quarters of the time.
      charset: 'ascii',
      legalComments: 'none',
      define: { STAGE_VERSION: JSON.stringify(version) },
      banner: { js: `/* ${name} ${version} */` },
      // The bundle depends on what is named here alone, never on a configuration file that lies near.
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : 'unknown failure';
    throw new DeviceError('BundleFailed', `The stage ${name} cannot be bundled: ${text}`, { cause: error });
  }
}

/** Nothing is left to be imported at run time, and nothing came from where a stage may not take it. */
function requireSelfContained(
  name: BundleName,
  row: BundleRow,
  { metafile }: Bundler.BuildResult<{ write: false; metafile: true }>,
): void {
  const external = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const own = relative(repository(), join(osSources(), row.folder));
  const formats = relative(repository(), join(osSources(), '../../formats'));
  const foreign = Object.keys(metafile.inputs).filter(
    (input) =>
      !input.startsWith(`${own}/`) &&
      !input.startsWith(`${formats}/`) &&
      !input.startsWith('node_modules/cborg/'),
  );
  const culprit = external[0]?.path ?? foreign[0];
  if (culprit === undefined) return;
  throw new DeviceError('BundleNotSelfContained', `The stage ${name} takes in ${culprit}.`, {
    field: culprit,
    rule: `only @sevenfold/formats and packages/os/src/${row.folder}`,
  });
}
