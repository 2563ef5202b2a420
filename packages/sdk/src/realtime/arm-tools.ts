import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { SdkError } from '../errors.ts';

/** What a program of the compiler said, and how it ended. */
interface ToolResult {
  readonly output: string;
  readonly messages: string;
  readonly isDone: boolean;
}

/** Ms after which a compiler that has not finished is given up: minutes, since small machines are slow. */
const PATIENCE = 5 * 60 * 1000;
const LONGEST_OUTPUT = 64 * 1024 * 1024;
const HINT =
  'Install it (Debian and Ubuntu: apt install gcc-arm-none-eabi), or name its folder with --toolchain DIR.';

/** A GNU compiler for bare-metal Arm with its other programs: `arm-none-eabi-gcc`, `-ar`, `-strip`, `-addr2line`. */
export class ArmTools {
  readonly #folder: string | null;
  /** First line of what the compiler says about itself: what is built depends on it. */
  readonly version: string;

  private constructor(folder: string | null, version: string) {
    this.#folder = folder;
    this.version = version;
  }

  /** Looks in `folder`, or on the path where it is null. Throws `CompilerMissing`. */
  static async find(folder: string | null): Promise<ArmTools> {
    const unknown = new ArmTools(folder, '');
    const { output } = await unknown.run('gcc', ['--version'], process.cwd());
    return new ArmTools(folder, output.split('\n')[0] ?? '');
  }

  /** Runs one of the programs; `input` goes to its standard input. Throws `CompilerMissing` or `ToolchainFailed`. */
  run(
    tool: 'gcc' | 'ar' | 'strip' | 'addr2line',
    args: readonly string[],
    cwd: string,
    input = '',
  ): Promise<ToolResult> {
    const name = `arm-none-eabi-${tool}`;
    const program = this.#folder === null ? name : join(this.#folder, name);
    // Messages are parsed: they are asked for in the language that is.
    const env = { ...process.env, LC_ALL: 'C' };
    const options = { cwd, env, timeout: PATIENCE, maxBuffer: LONGEST_OUTPUT };
    return new Promise((resolve, reject) => {
      const child = execFile(program, args, options, (error, output, messages) => {
        if (error === null) resolve({ output, messages, isDone: true });
        else if (error.code === 'ENOENT' || error.code === 'EACCES')
          reject(
            new SdkError('CompilerMissing', `There is no ${program} to build real-time apps with. ${HINT}`, {
              field: 'toolchain',
            }),
          );
        else if (typeof error.code === 'number') resolve({ output, messages, isDone: false });
        else reject(new SdkError('ToolchainFailed', `${name} failed: ${error.message}.`));
      });
      // It may end before it has read all.
      child.stdin?.on('error', () => undefined).end(input);
    });
  }
}
