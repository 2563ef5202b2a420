import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SdkError } from '../errors.ts';
import type { AppResult, ToolchainRequest } from './job.ts';

/** The tools run once each, for tens of milliseconds: V8's optimising compiler costs more than it gives. */
const ENGINE_FLAGS = ['--liftoff-only'];
const PROGRAM = fileURLToPath(new URL('toolchain.child.ts', import.meta.url));
/** Ms after which a compiler that has not finished is given up: minutes, since small machines are slow. */
const PATIENCE = 5 * 60 * 1000;

function resultsOf(message: unknown): readonly AppResult[] | null {
  const results: unknown =
    typeof message === 'object' && message !== null ? Reflect.get(message, 'results') : null;
  // The child is our own program: an array it sends is an array of results.
  return Array.isArray(results) ? (results as readonly AppResult[]) : null;
}

/** Compiles and links apps in one process that ends with the answer. Throws `ToolchainFailed`. */
export function runToolchain(request: ToolchainRequest): Promise<readonly AppResult[]> {
  return new Promise((resolve, reject) => {
    const child = fork(PROGRAM, [], {
      execArgv: ENGINE_FLAGS,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    const fail = (why: string): void => {
      reject(new SdkError('ToolchainFailed', `The compiler failed: ${why}.`));
    };
    child.once('message', (message) => {
      const results = resultsOf(message);
      if (results !== null) resolve(results);
      else
        fail(
          String(typeof message === 'object' && message !== null ? Reflect.get(message, 'failure') : message),
        );
    });
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      // After an answer this changes nothing.
      fail(`its process ended with ${signal ?? code ?? 'no code'}. ${said}`.trim());
    });
    child.send(request);
  });
}
