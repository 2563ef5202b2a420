import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseElf, type SymbolLine } from '@sevenfold/formats';
import { SdkError } from '../errors.ts';
import { parseDiagnostics, type Diagnostic } from '../toolchain/diagnostics.ts';
import type { SourceFile } from '../toolchain/job.ts';
import { ArmTools } from './arm-tools.ts';
import { CORE_FLAGS, REAL_TIME_SDK, sdkPrefix } from './core-flags.ts';
import type { FreeRtos } from './freertos.ts';
import { realTimeLibrary } from './library.ts';
import { memoryUse, type MemoryUse } from './memory-use.ts';
import { makeElfSymbols } from './symbols.ts';

/** A program for a real-time core to be compiled and linked. */
export interface ProgramJob {
  /** Every file of the project that the compiler may read. */
  readonly files: readonly SourceFile[];
  readonly defines: Readonly<Record<string, string>>;
  readonly memory: 'tcm' | 'flash';
  /** The project's own linker script in place of the SDK's; null: it has none. */
  readonly linkerScript: Uint8Array | null;
  readonly freertos: FreeRtos | null;
}

/** One that was. */
export interface BuiltProgram {
  /** As it goes into an image: no symbols, no debug information. */
  readonly program: Uint8Array;
  /** The linker's output, with DWARF. */
  readonly linked: Uint8Array;
  /** The linker's map, as text. */
  readonly map: Uint8Array;
  /** By address. */
  readonly lines: readonly SymbolLine[];
  readonly use: readonly MemoryUse[];
  /** First line of what the compiler says about itself. */
  readonly compiler: string;
  readonly warnings: readonly Diagnostic[];
}

const SOURCE = /\.c$/;
const UNSUPPORTED = /\.(?:cc|cpp|cxx)$/;

function fail(code: 'CompileFailed' | 'LinkFailed', said: string, cwd: string): never {
  const diagnostics = parseDiagnostics(said, `${cwd}/`);
  const first = diagnostics.find(({ severity }) => severity === 'error');
  const field =
    first?.file === null || first?.file === undefined ? undefined : `${first.file}:${first.line ?? 0}`;
  const message = first?.message ?? said.trim().split('\n').slice(-1)[0] ?? 'no message';
  throw new SdkError(code, message, { diagnostics, ...(field === undefined ? {} : { field }) });
}

/**
 * Compiles and links a program. Throws `CompilerMissing`, `CompileFailed` or `LinkFailed` with what the compiler said,
 * `FormatError` where the result is no program that a core can run.
 */
export async function buildProgram(job: ProgramJob, toolchain: string | null): Promise<BuiltProgram> {
  const tools = await ArmTools.find(toolchain);
  const cpp = job.files.find(({ path }) => UNSUPPORTED.test(path));
  if (cpp !== undefined)
    throw new SdkError('CompileFailed', 'Real-time apps are written in C.', { field: cpp.path });
  const library = await realTimeLibrary(tools);
  const cwd = await mkdtemp(join(tmpdir(), 'sevenfold-realtime-'));
  try {
    return await buildIn(cwd, job, tools, library);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

async function buildIn(
  cwd: string,
  job: ProgramJob,
  tools: ArmTools,
  library: Uint8Array,
): Promise<BuiltProgram> {
  for (const { path, bytes } of job.files) {
    await mkdir(join(cwd, 'app', dirname(path)), { recursive: true });
    await writeFile(join(cwd, 'app', path), bytes);
  }
  const app = join(cwd, 'app');
  const flags = [
    ...CORE_FLAGS,
    sdkPrefix,
    `-ffile-prefix-map=${app}=.`,
    ...Object.entries(job.defines).map(([name, value]) => `-D${name}=${value}`),
    '-I.',
    '-I',
    join(REAL_TIME_SDK, 'include'),
  ];
  const objects: string[] = [];
  const warnings: Diagnostic[] = [];
  const compile = async (source: string, more: readonly string[]): Promise<void> => {
    const object = join(cwd, `${objects.length}.o`);
    const { isDone, messages } = await tools.run('gcc', [...flags, ...more, '-c', source, '-o', object], app);
    if (!isDone) fail('CompileFailed', messages, app);
    warnings.push(...parseDiagnostics(messages, `${app}/`));
    objects.push(object);
  };
  const { freertos } = job;
  const include = freertos?.headers.flatMap((folder) => ['-isystem', folder]) ?? [];
  for (const { path } of job.files) if (SOURCE.test(path)) await compile(path, include);
  // Warnings of a foreign kernel are not the app's.
  const quiet = ['-w', `-ffile-prefix-map=${freertos?.folder ?? ''}=<freertos>`];
  for (const source of freertos?.sources ?? []) await compile(source, [...include, ...quiet]);
  return await link(cwd, job, tools, objects, library, warnings);
}

async function link(
  cwd: string,
  job: ProgramJob,
  tools: ArmTools,
  objects: readonly string[],
  library: Uint8Array,
  warnings: readonly Diagnostic[],
): Promise<BuiltProgram> {
  const elf = join(cwd, 'app.elf');
  const own = join(cwd, 'linker.ld');
  if (job.linkerScript !== null) await writeFile(own, job.linkerScript);
  await writeFile(join(cwd, 'librealtime.a'), library);
  const script = job.memory === 'flash' ? 'flash.ld' : 'tcm.ld';
  const linker = [
    '-nostdlib',
    '-nostartfiles',
    '-Wl,--gc-sections',
    '-Wl,-z,max-page-size=32',
    '-Wl,--no-warn-rwx-segments',
    '-Wl,-Map=app.map',
    `-L${cwd}`,
    // Who brings a linker script brings a vector table of its own; it knows no place for a build id, which would lie
    // where that table has to.
    ...(job.linkerScript === null
      ? ['-Wl,--build-id=sha1', '-Wl,-u,vectors', `-Wl,-T,${join(REAL_TIME_SDK, 'link', script)}`]
      : ['-Wl,--build-id=none', `-Wl,-T,${own}`]),
  ];
  const libraries = ['-Wl,--start-group', '-lrealtime', '-lgcc', '-Wl,--end-group'];
  // Names alone: the build id is to be the same wherever it is built.
  const names = objects.map((path) => path.slice(cwd.length + 1));
  const { isDone, messages } = await tools.run(
    'gcc',
    [...CORE_FLAGS, ...linker, ...names, ...libraries, '-o', elf],
    cwd,
  );
  if (!isDone) fail('LinkFailed', linkerMessages(messages.replaceAll(`${cwd}/`, '')), '');
  return await finishProgram(cwd, elf, tools, warnings);
}

/**
 * What becomes of a linked program: what goes into the image, names and lines for the service. `cwd` has the linker's
 * app.map. Throws `ToolchainFailed`, or `FormatError` where no core can run it.
 */
export async function finishProgram(
  cwd: string,
  elf: string,
  tools: ArmTools,
  warnings: readonly Diagnostic[],
): Promise<BuiltProgram> {
  const { isDone: isStripped } = await tools.run('strip', ['-o', 'app.stripped', elf], cwd);
  if (!isStripped) throw new SdkError('ToolchainFailed', 'The program could not be stripped.');
  const [linked, program, map] = (await Promise.all(
    [elf, join(cwd, 'app.stripped'), join(cwd, 'app.map')].map(
      async (path) => new Uint8Array(await readFile(path)),
    ),
  )) as [Uint8Array, Uint8Array, Uint8Array];
  const { segments } = parseElf(program);
  const lines = await makeElfSymbols(linked, async (addresses) => {
    const asked = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
    return (await tools.run('addr2line', ['-a', '-f', '-i', '-e', elf], cwd, asked)).output;
  });
  return { program, linked, map, lines, use: memoryUse(segments), compiler: tools.version, warnings };
}

const LD_PLACE = /^(?:\S*ld: )?(?:\S+\.o:)?(?:\.\/)?(\S+\.[ch]):(\d+): /;
const LD = /^(?:\S*ld: )/;

/** ld's messages in the form of a compiler's: it leaves out that they are errors, and says its own name first. */
function linkerMessages(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/: in function `|^collect2: /.test(line))
    .map((line) =>
      LD_PLACE.test(line) ? line.replace(LD_PLACE, '$1:$2:0: error: ') : line.replace(LD, 'error: '),
    )
    .join('\n');
}
