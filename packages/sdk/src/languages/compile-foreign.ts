import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HardwareDefinition, SymbolFunction } from '@sevenfold/formats';
import { SdkError } from '../errors.ts';
import type { Diagnostic } from '../toolchain/diagnostics.ts';
import { MEMORY_QUOTA, STACK_SIZE } from '../toolchain/job.ts';
import { functionNames, stripCustomSections } from '../toolchain/wasm-sections.ts';

/** Languages other than C, by the file that their projects have. */
const PROJECT_FILES = { rust: 'Cargo.toml', assemblyscript: 'asconfig.json' } as const;
export type ForeignLanguage = keyof typeof PROJECT_FILES;

/** What a compiler that is not ours made of an app. */
export interface ForeignModule {
  /** As it is shipped: no custom sections. */
  readonly module: Uint8Array;
  /** What the compiler wrote. */
  readonly linked: Uint8Array;
  readonly functions: readonly SymbolFunction[];
  /** What it was linked with, for the bill of materials. */
  readonly library: { readonly name: string; readonly version: string; readonly purl: string };
}

const LIBRARIES = fileURLToPath(new URL('../../languages/assemblyscript', import.meta.url));
const PAGE = 64 * 1024;
const PATIENCE = 10 * 60 * 1000;
const LONGEST_OUTPUT = 16 * 1024 * 1024;
/** Lines that are told of what names no place. */
const MOST_LINES = 20;
/** What rustc calls this target, and what it did before 1.78. */
const RUST_TARGETS = ['wasm32-wasip1', 'wasm32-wasi'] as const;
/** What cargo says that it does. */
const PROGRESS = /^\s*(?:Compiling|Finished|Updating|Locking|Adding|Blocking) /;
const VERSION = /\d+(?:\.\d+)+/;

/** The language of a project's folder; null: C or C++. */
export function foreignLanguage(folder: string): ForeignLanguage | null {
  const languages = Object.keys(PROJECT_FILES) as ForeignLanguage[];
  return languages.find((language) => existsSync(join(folder, PROJECT_FILES[language]))) ?? null;
}

const missing = (message: string): SdkError => new SdkError('CompilerMissing', message, { field: 'PATH' });

/** What went wrong, in the words of rustc (`--message-format short`) or asc, by place where they name one. */
function refusalOf(output: string): SdkError {
  const rust = output.matchAll(/^(.+?):(\d+):(\d+): error(?:\[\w+\])?: (.*)$/gm);
  const script = output.matchAll(/^ERROR \w+: (.*)(?:\n(?!ERROR).*)*?\n.*? in (.+)\((\d+),(\d+)\)$/gm);
  const diagnosticOf = (message = '', file = '', line = '', column = ''): Diagnostic => ({
    severity: 'error',
    file,
    line: Number(line),
    column: Number(column),
    message,
  });
  const found = [
    ...[...rust].map(([, file, line, column, message]) => diagnosticOf(message, file, line, column)),
    ...[...script].map(([, message, file, line, column]) => diagnosticOf(message, file, line, column)),
  ];
  const linker = /linker `([^`]+)` not found/.exec(output)?.[1];
  if (linker !== undefined) return missing(`${linker} is not there, which rustc links with (Debian: lld).`);
  const lines = output
    .trim()
    .split('\n')
    .filter((line) => !PROGRESS.test(line))
    .map((line) => line.replace(/^error: /, ''));
  const whole = lines.slice(-MOST_LINES).map((message): Diagnostic => ({
    severity: 'error',
    file: null,
    line: null,
    column: null,
    message,
  }));
  const diagnostics = found.length > 0 ? found : whole;
  return new SdkError('CompileFailed', diagnostics[0]?.message ?? 'The compiler failed.', { diagnostics });
}

/** Runs a compiler; gives what it wrote to its output. Throws `CompilerMissing` or `CompileFailed`. */
function run(
  program: string,
  args: readonly string[],
  cwd: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C', NO_COLOR: '1', ...extra };
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { cwd, env, timeout: PATIENCE, maxBuffer: LONGEST_OUTPUT },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (typeof error.code !== 'number')
          reject(missing(`${program} does not run: ${error.message}.`));
        else reject(refusalOf(stderr.trim() === '' ? stdout : stderr));
      },
    );
  });
}

/** Names of pins and peripherals as constants of a language. */
function constantsOf(hardware: HardwareDefinition, line: (name: string, value: number) => string): string {
  const lines = [...hardware.peripherals.values()].flatMap(({ name, appManifestValue }) =>
    typeof appManifestValue === 'number' ? [line(name, appManifestValue)] : [],
  );
  return `// Made from the hardware definition when the app is built.\n${lines.join('\n')}\n`;
}

/** Compiles an app with the compiler of its language, which is the project's own or on the path. */
export async function compileForeign(
  folder: string,
  language: ForeignLanguage,
  hardware: HardwareDefinition,
): Promise<ForeignModule> {
  const { linked, library } =
    language === 'rust' ? await compileRust(folder, hardware) : await compileAssemblyScript(folder, hardware);
  return {
    module: stripCustomSections(linked),
    linked,
    functions: functionNames(linked).map(({ index, name }) => ({ index, name })),
    library,
  };
}

type Compiled = Pick<ForeignModule, 'linked' | 'library'>;

async function compileAssemblyScript(folder: string, hardware: HardwareDefinition): Promise<Compiled> {
  const places = [join(folder, 'node_modules/.bin'), ...(process.env['PATH'] ?? '').split(delimiter)];
  const asc = places.map((place) => join(place, 'asc')).find((path) => existsSync(path));
  if (asc === undefined) {
    throw missing('There is no AssemblyScript compiler: `npm install` in the folder of the app brings it.');
  }
  await writeFile(
    join(folder, 'assembly/hardware.ts'),
    constantsOf(hardware, (name, value) => `export const ${name}: i32 = ${value};`),
  );
  const version = VERSION.exec(await run(asc, ['--version'], folder))?.[0] ?? 'unknown';
  const scratch = await mkdtemp(join(tmpdir(), 'sevenfold-asc-'));
  try {
    const out = join(scratch, 'app.wasm');
    const pages = String(MEMORY_QUOTA / PAGE);
    const memory = ['--initialMemory', pages, '--maximumMemory', pages];
    const shape = [
      '--runtime',
      'minimal',
      '--exportStart',
      '_start',
      '--use',
      'abort=~lib/sevenfold/index/fail',
    ];
    await run(
      asc,
      [
        'assembly/index.ts',
        '--outFile',
        out,
        '--optimize',
        '--debug',
        '--path',
        LIBRARIES,
        ...memory,
        ...shape,
      ],
      folder,
    );
    const linked = new Uint8Array(await readFile(out));
    return {
      linked,
      library: { name: 'assemblyscript', version, purl: `pkg:npm/assemblyscript@${version}` },
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function compileRust(folder: string, hardware: HardwareDefinition): Promise<Compiled> {
  const version = VERSION.exec(await run('rustc', ['--version'], folder))?.[0] ?? 'unknown';
  const known = (await run('rustc', ['--print', 'target-list'], folder)).split('\n');
  const target = RUST_TARGETS.find((name) => known.includes(name));
  const library =
    target === undefined
      ? ''
      : (await run('rustc', ['--print', 'target-libdir', '--target', target], folder)).trim();
  const hasLibrary =
    existsSync(library) && (await readdir(library)).some((name) => name.startsWith('libstd-'));
  if (target === undefined || !hasLibrary) {
    throw missing(
      `rustc ${version} has no standard library for WebAssembly: \`rustup target add ${RUST_TARGETS[0]}\` brings it.`,
    );
  }
  await writeFile(
    join(folder, 'src/hardware.rs'),
    `#![allow(dead_code)]\n${constantsOf(hardware, (name, value) => `pub const ${name}: i32 = ${value};`)}`,
  );
  const link = [
    '--stack-first',
    `-zstack-size=${STACK_SIZE}`,
    `--max-memory=${MEMORY_QUOTA}`,
    '--export=__stack_pointer',
    '--export=__heap_base',
  ];
  // Compilers before 1.70 do not take for granted that a global may be exported.
  const flags = ['-C target-feature=+mutable-globals', ...link.map((flag) => `-C link-arg=${flag}`)].join(
    ' ',
  );
  const out = join(folder, 'out/cargo');
  await run(
    'cargo',
    ['build', '--release', '--offline', '--message-format', 'short', '--target', target, '--target-dir', out],
    folder,
    {
      RUSTFLAGS: `${process.env['RUSTFLAGS'] ?? ''} ${flags}`.trim(),
    },
  );
  const built = join(out, target, 'release');
  const [name] = (await readdir(built)).filter((file) => file.endsWith('.wasm'));
  if (name === undefined)
    throw new SdkError('UnexpectedModule', `cargo wrote no module to ${dirname(built)}.`);
  const linked = new Uint8Array(await readFile(join(built, name)));
  return { linked, library: { name: 'rust-std', version, purl: `pkg:generic/rust-std@${version}` } };
}
