import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** A program that somebody else wrote and that says what it thinks of our certificates. */
export interface Judge {
  readonly program: string;
  /** Runs it to its end (two minutes at most), standard output and error together. */
  run(args: readonly string[], environment?: Readonly<Record<string, string>>): Judgement;
}

/** Ms: Java alone takes seconds to start on a machine that has other work to do. */
const PATIENCE = 120_000;

/** What a judge said. */
interface Judgement {
  readonly accepted: boolean;
  readonly said: string;
}

/** The program's path: on the `PATH` or where Debian keeps what runs as a server; null where it is not installed. */
function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/** The judge of that name, or null and a line that says what is skipped. */
export function findJudge(name: string, what: string): Judge | null {
  const program = findProgram(name);
  if (program === null) {
    process.stdout.write(`skipped: ${what} (${name} is not installed)\n`);
    return null;
  }
  return {
    program,
    run(args, environment = {}) {
      const { status, stdout, stderr } = spawnSync(program, args, {
        encoding: 'utf8',
        timeout: PATIENCE,
        killSignal: 'SIGKILL',
        env: { ...process.env, ...environment },
      });
      return { accepted: status === 0, said: `${stdout}${stderr}` };
    },
  };
}

/** A folder of the test's own; `dispose` removes it. */
export class TestFolder {
  readonly path: string;

  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `sevenfold-${name}-`));
  }

  /** Writes a file and answers its path. */
  write(name: string, content: string | Uint8Array, mode = 0o600): string {
    const path = join(this.path, name);
    writeFileSync(path, content, { mode });
    return path;
  }

  /** Runs a program in the folder that must succeed: preparing, not judging. */
  prepare(program: string, ...args: readonly string[]): string {
    return execFileSync(program, args, {
      cwd: this.path,
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: PATIENCE,
    });
  }

  dispose(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
