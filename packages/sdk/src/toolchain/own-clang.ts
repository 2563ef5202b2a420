import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SdkError } from '../errors.ts';
import type { Tool } from './clang.ts';
import type { OwnClang } from './job.ts';

const LEAST_VERSION = 19;
/** The first version that knows `-fno-sanitize-merge`; before, checks of one kind may share their call. */
const MERGE_VERSION = 20;
const TARGET = '--target=wasm32-wasip1';
/** What a C library calls its folder: the name of the target, or what it was before it had a number. */
const TRIPLES = ['wasm32-wasip1', 'wasm32-wasi'] as const;
const OUTPUTS = ['out.o', 'out.wasm'];
/** Paths of the tools' world in arguments. */
const PLANTED = /(^|-I|=)\/(app|sdk)\//;
const PATIENCE = 5 * 60 * 1000;
const LONGEST_OUTPUT = 16 * 1024 * 1024;

const missing = (message: string): SdkError =>
  new SdkError('CompilerMissing', message, { field: 'toolchain' });

interface Ended {
  readonly code: number;
  readonly output: string;
}

function run(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  // Messages are parsed: they are asked for in the language that is.
  const options = { cwd, env: { ...process.env, LC_ALL: 'C' }, timeout: PATIENCE, maxBuffer: LONGEST_OUTPUT };
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const output = stdout + stderr;
      if (error === null) resolve({ code: 0, output });
      else if (typeof error.code === 'number') resolve({ code: error.code, output });
      else reject(missing(`${program} does not run: ${error.message}.`));
    });
  });
}

/**
 * A clang of the developer's own, in a folder or in its `bin`, with wasi-libc beside it (wasi-sdk) or in `shared`. Throws
 * `CompilerMissing`, saying what is not there.
 */
export async function findClang(folder: string, shared = '/usr'): Promise<OwnClang> {
  const bin = [folder, join(folder, 'bin')].find((place) => existsSync(join(place, 'clang')));
  if (bin === undefined) throw missing(`There is no clang in ${folder}, nor in its bin.`);
  const { output } = await run(join(bin, 'clang'), ['--version'], bin);
  const [, digits] = /clang version (\d+)/.exec(output) ?? [];
  const [version = ''] = output.split('\n');
  if (!(Number(digits) >= LEAST_VERSION)) {
    throw missing(`${join(bin, 'clang')} is “${version}”: apps need clang ${LEAST_VERSION} or newer.`);
  }
  const places = [join(dirname(bin), 'share/wasi-sysroot'), shared];
  const found = places.flatMap((sysroot) =>
    TRIPLES.filter((triple) => existsSync(join(sysroot, 'lib', triple, 'libc.a'))).map((triple) => ({
      sysroot,
      triple,
    })),
  )[0];
  if (found === undefined) {
    throw missing(`There is no wasi-libc for ${join(bin, 'clang')}: neither in ${places.join(' nor in ')}.`);
  }
  return { bin, version, major: Number(digits), ...found };
}

type Tree = NonNullable<Awaited<ReturnType<Tool>>>;

async function plant(tree: Tree, folder: string): Promise<void> {
  for (const [name, entry] of Object.entries(tree)) {
    const path = join(folder, name);
    if (typeof entry === 'string' || entry instanceof Uint8Array) await writeFile(path, entry);
    else {
      await mkdir(path);
      await plant(entry, path);
    }
  }
}

/** Runs such a clang over a tree of files, in a folder of its own that is gone afterwards. */
export function ownClang({ bin, sysroot, triple, major }: OwnClang): Tool {
  return async ([driver = 'clang', ...args], files, { stderr }) => {
    const folder = await mkdtemp(join(tmpdir(), 'sevenfold-clang-'));
    try {
      await plant(files, folder);
      const own = args
        .filter((argument) => argument !== '-fno-sanitize-merge' || major >= MERGE_VERSION)
        .map((argument) =>
          argument === TARGET
            ? `--target=${triple}`
            : argument.replace(PLANTED, (_, before: string, name: string) => `${before}${folder}/${name}/`),
        );
      // What is built does not depend on where.
      const flags = [
        `--sysroot=${sysroot}`,
        `-ffile-prefix-map=${folder}=`,
        '-Wno-unused-command-line-argument',
      ];
      const { code, output } = await run(join(bin, driver), [...flags, ...own], folder);
      stderr(Buffer.from(output.replaceAll(folder, '')));
      if (code !== 0) throw Object.assign(new Error(`${driver} ended with ${code}.`), { code });
      const present = (await readdir(folder)).filter((name) => OUTPUTS.includes(name));
      const read = present.map(
        async (name) => [name, new Uint8Array(await readFile(join(folder, name)))] as const,
      );
      return Object.fromEntries(await Promise.all(read));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}
