import { execFile } from 'node:child_process';
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { CMAKE_FILE } from '../cmake/read-cmake.ts';
import { SdkError } from '../errors.ts';
import { parseDiagnostics, type Diagnostic } from '../toolchain/diagnostics.ts';
import { ArmTools } from './arm-tools.ts';
import { finishProgram, type BuiltProgram } from './build-program.ts';
import { REAL_TIME_SDK } from './core-flags.ts';

/** A real-time app that CMake builds. */
export interface CmakeJob {
  readonly folder: string;
  readonly defines: Readonly<Record<string, string>>;
}

/** Ms after which a build that has not finished is given up. */
const PATIENCE = 10 * 60 * 1000;
const LONGEST_OUTPUT = 64 * 1024 * 1024;
/** Written by `azsphere_target_add_image_package` in toolchain.cmake. */
const PROGRAM = 'sevenfold-program';
const MAP = 'app.map';

interface Said {
  readonly text: string;
  readonly isDone: boolean;
}

/** Runs CMake; compilers and CMake itself tell of errors on both outputs. Throws `CompilerMissing`. */
function cmake(args: readonly string[]): Promise<Said> {
  const env = { ...process.env, LC_ALL: 'C', CLICOLOR_FORCE: '0' };
  const options = { env, timeout: PATIENCE, maxBuffer: LONGEST_OUTPUT };
  return new Promise((done, reject) => {
    execFile('cmake', args, options, (error, output, messages) => {
      const text = `${output}${messages}`;
      if (error === null) done({ text, isDone: true });
      else if (typeof error.code === 'number') done({ text, isDone: false });
      else if (error.code === 'ENOENT')
        reject(
          new SdkError(
            'CompilerMissing',
            `There is no cmake, which this app's ${CMAKE_FILE} is for. Install it (Debian and Ubuntu: apt install cmake ninja-build).`,
            { field: CMAKE_FILE },
          ),
        );
      else reject(new SdkError('ToolchainFailed', `cmake failed: ${error.message}.`));
    });
  });
}

/**
 * Builds a real-time app by its own CMakeLists.txt, in a folder of its own: nothing is written beside the sources.
 * Throws `CompilerMissing`, `CompileFailed` with what was said, or `FormatError` where it is no program for a core.
 */
export async function buildByCmake(job: CmakeJob, toolchain: string | null): Promise<BuiltProgram> {
  const tools = await ArmTools.find(toolchain);
  const folder = resolve(job.folder);
  const cwd = await mkdtemp(join(tmpdir(), 'sevenfold-realtime-'));
  try {
    const defines = Object.entries(job.defines).map(([name, value]) => `-D${name}=${value}`);
    const build = join(cwd, 'build');
    // Compiled places are named alike on every machine.
    const places = [`-ffile-prefix-map=${folder}/=`, `-ffile-prefix-map=${build}=.`];
    const flags = join(cwd, 'flags');
    await writeFile(flags, [...defines, ...places].map(quote).join('\n'));
    const configured = await cmake([
      '-S',
      folder,
      '-B',
      build,
      ...(await generator()),
      `-DCMAKE_TOOLCHAIN_FILE=${join(REAL_TIME_SDK, 'cmake/toolchain.cmake')}`,
      ...(toolchain === null ? [] : [`-DARM_GNU_PATH=${resolve(toolchain)}`]),
      '-DCMAKE_BUILD_TYPE=Release',
      `-DSEVENFOLD_FLAGS=@${flags}`,
      `-DSEVENFOLD_MAP=${join(cwd, MAP)}`,
    ]);
    if (!configured.isDone) return await fail(configured.text, folder);
    const built = await cmake(['--build', build, '--parallel']);
    if (!built.isDone) return await fail(built.text, folder);
    const elf = await readFile(join(build, PROGRAM), 'utf8').catch(() => {
      throw new SdkError('LinkFailed', 'Nothing says which program is the app.', {
        field: CMAKE_FILE,
        rule: 'azsphere_target_add_image_package(TARGET)',
      });
    });
    return await finishProgram(cwd, elf, tools, warningsIn(built.text, folder));
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** As GCC reads arguments from a file: no shell sees them. */
const quote = (flag: string): string => `"${flag.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;

/** Ninja where there is one, as projects for the original have it; else what CMake takes by itself. */
async function generator(): Promise<readonly string[]> {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    const isThere = await access(join(folder, 'ninja')).then(
      () => true,
      () => false,
    );
    if (isThere) return ['-G', 'Ninja'];
  }
  return [];
}

const warningsIn = (said: string, folder: string): readonly Diagnostic[] =>
  parseDiagnostics(said, `${folder}/`).filter(({ severity }) => severity !== 'error');

/** A file that was not found, as gcc and CMake say it. */
const MISSING = /fatal error: (\S+): No such file|Cannot find source file:\s+(\S+)/;

async function fail(said: string, folder: string): Promise<never> {
  if (said.includes('unable to find a build program')) {
    throw new SdkError(
      'CompilerMissing',
      'CMake has no ninja and no make to build with. Install one (Debian and Ubuntu: apt install ninja-build).',
      { field: CMAKE_FILE },
    );
  }
  const diagnostics = parseDiagnostics(said, `${folder}/`);
  const [first] = diagnostics.filter(({ severity }) => severity === 'error');
  const [, header, source] = MISSING.exec(said) ?? [];
  const other = await otherCase(folder, header ?? source ?? '');
  const hint = other === null ? '' : `. There is ${other}: on this system names differ by case.`;
  const cause = first?.message ?? /CMake Error[^\n]*\n\s*(.+(?:\n\n?\s+\S+)?)/.exec(said)?.[1] ?? said.trim();
  const field =
    first?.file === null || first?.file === undefined ? CMAKE_FILE : `${first.file}:${first.line ?? 0}`;
  throw new SdkError('CompileFailed', `${cause.replace(/\s+/g, ' ')}${hint}`, { field, diagnostics });
}

/** A file below the folder whose name is the wanted one but for case; null: there is none. */
async function otherCase(folder: string, wanted: string): Promise<string | null> {
  const name = basename(wanted);
  if (name === '') return null;
  const paths = await readdir(folder, { recursive: true });
  return paths.find((path) => basename(path).toLowerCase() === name.toLowerCase()) ?? null;
}
