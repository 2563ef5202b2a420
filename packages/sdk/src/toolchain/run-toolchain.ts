import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SdkError } from '../errors.ts';
import { WARM_UP, type AppResult, type ToolchainRequest } from './job.ts';

/** The tools run for tens of milliseconds: V8's optimising compiler costs more than it gives. */
const ENGINE_FLAGS = ['--liftoff-only'];
const PROGRAM = fileURLToPath(new URL('toolchain.child.ts', import.meta.url));
/** Ms after which a compiler that has not finished is given up: minutes, since small machines are slow. */
const PATIENCE = 5 * 60 * 1000;
const LONGEST_STDERR = 2000;

function resultsOf(message: unknown): readonly AppResult[] | null {
  const results: unknown =
    typeof message === 'object' && message !== null ? Reflect.get(message, 'results') : null;
  // The child is our own program: an array it sends is an array of results.
  return Array.isArray(results) ? (results as readonly AppResult[]) : null;
}

/** Whether a process has ended, by itself or by a signal. */
const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

function failure(why: string): SdkError {
  return new SdkError('ToolchainFailed', `The compiler failed: ${why}.`);
}

/** The compiler's process, kept until `close`: what it has loaded once serves the next build. One build at a time. */
export class Toolchain implements AsyncDisposable {
  #child: ChildProcess | null = null;
  #said = '';
  #isWarm = false;

  /**
   * Loads compiler, linker and symbolizer for the build to come, which then takes a fraction of a second: what was
   * found in the cache has loaded none of them. A build that comes meanwhile does not wait for all of it.
   */
  warmUp(): void {
    if (this.#isWarm) return;
    this.#isWarm = true;
    this.#start().send(WARM_UP);
  }

  /** Compiles and links apps. Throws `ToolchainFailed`. */
  run(request: ToolchainRequest): Promise<readonly AppResult[]> {
    const child = this.#start();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      const done = (): void => {
        clearTimeout(timer);
        child.off('message', onMessage).off('error', onError).off('exit', onExit);
      };
      const onMessage = (message: unknown): void => {
        done();
        const results = resultsOf(message);
        if (results !== null) resolve(results);
        else {
          const why: unknown =
            typeof message === 'object' && message !== null ? Reflect.get(message, 'failure') : message;
          reject(failure(String(why)));
        }
      };
      const onError = (error: Error): void => {
        done();
        this.#child = null;
        reject(failure(error.message));
      };
      const onExit = (code: number | null, signal: string | null): void => {
        done();
        this.#child = null;
        reject(failure(`its process ended with ${signal ?? code ?? 'no code'}. ${this.#said}`.trim()));
      };
      child.on('message', onMessage).on('error', onError).on('exit', onExit);
      child.send(request);
    });
  }

  /** Lets the process go, with the memory it takes. */
  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || hasEnded(child)) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.connected) child.disconnect();
    await ended;
  }

  #start(): ChildProcess {
    if (this.#child !== null && !hasEnded(this.#child)) return this.#child;
    const child = fork(PROGRAM, [], {
      execArgv: ENGINE_FLAGS,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-LONGEST_STDERR);
    });
    this.#child = child;
    return child;
  }
}
