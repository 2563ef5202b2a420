import type { ChildProcess } from 'node:child_process';
import type { StageName } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';
import { confinement, type Confinement } from './confinement.ts';
import { processTime } from './process-time.ts';
import { startRemoteStage, type Runner } from './remote-stage.ts';
import type { StageLoader } from './stage-loader.ts';
import { streamEndpoint } from './stream-endpoint.ts';

/**
 * What every stage's process is run with. The permission model without one exception: no files, no network, no
 * threads, no processes, no add-ons, no WASI, no inspector. Heap and stack have an end, as in `threadLoader`.
 */
export const NODE_FLAGS: readonly string[] = [
  '--permission',
  '--no-addons',
  '--no-experimental-require-module',
  '--disable-proto=throw',
  '--max-old-space-size=192',
  '--stack-size=3900',
  '--input-type=commonjs',
];

/**
 * A process for each stage, under Node's permission model and, where this machine has bubblewrap, in namespaces of
 * its own behind a filter of system calls. Its environment is empty; its program comes on the command line, its
 * bundle over the link, and the link is all it has. `program` is the bundled program of `stage-worker.ts`.
 */
export function processLoader(program: string | null = null): StageLoader {
  if (program === null) {
    throw new BoardError('StageRefused', 'Wiring by process needs the bundled program of a stage.', {
      field: 'stageWorker',
    });
  }
  const walls = confinement();
  const ready = new Map<StageName, ChildProcess>();
  const make = (): ChildProcess => spawnConfined(walls, NODE_FLAGS, program);
  return {
    walls: walls.walls,
    prepare(stages) {
      for (const stage of stages) if (!ready.has(stage)) ready.set(stage, make());
    },
    async release() {
      const unused = [...ready.values()].map(runnerOf);
      ready.clear();
      await Promise.all(unused.map((runner) => runner.end()));
    },
    async start(start, onServing) {
      const child = ready.get(start.stage) ?? make();
      ready.delete(start.stage);
      return startRemoteStage(start, runnerOf(child), onServing);
    },
  };
}

/** Starts Node with these flags and this program behind these walls. Standard input and output are pipes to it. */
export function spawnConfined(
  { command, args, filter }: Confinement,
  flags: readonly string[],
  program: string,
): ChildProcess {
  // Loaded here: it is large, and every board imports this file.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(command, [...args, ...flags, '--eval', program], {
    cwd: '/',
    env: {},
    // What a stage's process writes as its error output is not looked at: a stage logs over its link.
    stdio: ['pipe', 'pipe', 'ignore', ...(filter === null ? [] : ['pipe' as const])],
  });
  // A process that ends while it is written to says so by its end.
  child.stdin?.on('error', () => {});
  const filterPipe = child.stdio[3];
  if (filter !== null && filterPipe !== null && filterPipe !== undefined && 'end' in filterPipe) {
    filterPipe.on('error', () => {});
    filterPipe.end(filter);
  }
  return child;
}

function runnerOf(child: ChildProcess): Runner {
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new BoardError('StageFailed', 'A process has no link.');
  const gone = new Promise<string>((resolve) => {
    // Its last words may still be in the pipe.
    child.on('close', (code) => resolve(reasonOf(code)));
    child.on('error', () => resolve('it could not be started'));
  });
  return {
    kind: 'process',
    // Who sends what is no message is not listened to any longer.
    endpoint: streamEndpoint(stdout, stdin, () => child.kill('SIGKILL')),
    onEnd: (listener) => void gone.then(listener),
    async end() {
      child.kill('SIGKILL');
      await gone;
    },
    cpuTime: () => (child.pid === undefined ? Promise.resolve(null) : processTime(child.pid)),
  };
}

function reasonOf(code: number | null): string {
  if (code === 70) return 'a rejection nobody handled';
  return code === null ? 'it was killed' : `exit ${code}`;
}
