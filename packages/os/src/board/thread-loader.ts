import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { StageName } from '@sevenfold/formats';
import { MESSAGE, type EndpointMessage } from './port-link.ts';
import { startRemoteStage, type Runner } from './remote-stage.ts';
import type { LoadedStage, StageLoader } from './stage-loader.ts';
import { callerTarget, portTarget } from './stage-thread.ts';

/** Heap of a stage's thread in MiB: enough for every stage, and an end for one that runs wild. */
const HEAP = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 } as const;

/**
 * A worker thread for each stage, on the host's time: the everyday virtual device. Stages speak to each other over
 * channels of their own. `program` is the bundled program of `stage-worker.ts`; without it every thread translates
 * that file by itself.
 */
export function threadLoader(program: string | null = null): StageLoader {
  /** Threads that have been started and not been told yet which bundle they run. */
  const ready = new Map<StageName, Worker>();
  /** The threads of running stages: what this loader did not start, it cannot connect. */
  const threads = new WeakMap<LoadedStage, Worker>();

  const makeWorker = (stage: StageName): Worker =>
    new Worker(program ?? new URL('./stage-worker.ts', import.meta.url), {
      eval: program !== null,
      name: stage,
      // Nothing of the host process is inherited.
      env: {},
      argv: [],
      execArgv: [],
      resourceLimits: HEAP,
    });
  /** Stages whose threads are still to be made ready, in the order in which they will be started. */
  let due: StageName[] = [];
  // One after the other: a thread takes a processor for as long as it comes up, and the first one is wanted first.
  const makeNext = (): void => {
    const stage = due.shift();
    if (stage === undefined) return;
    const worker = makeWorker(stage);
    ready.set(stage, worker);
    worker.once('online', makeNext);
  };
  const takeWorker = (stage: StageName): Worker => {
    const worker = ready.get(stage);
    ready.delete(stage);
    due = due.filter((name) => name !== stage);
    return worker ?? makeWorker(stage);
  };

  return {
    walls: [],
    prepare(stages) {
      due = stages.filter((stage) => !ready.has(stage));
      makeNext();
    },

    async release() {
      due = [];
      const unused = [...ready.values()];
      ready.clear();
      await Promise.all(unused.map((worker) => worker.terminate()));
    },

    async start(start, onServing) {
      const worker = takeWorker(start.stage);
      return startRemoteStage(start, runnerOf(worker), (loaded) => {
        threads.set(loaded, worker);
        for (const [name, source] of Object.entries(start.ports)) {
          const below = 'stage' in source ? threads.get(source.stage) : undefined;
          if (below !== undefined && 'stage' in source)
            connect(below, callerTarget(source.caller), worker, portTarget(name));
        }
        onServing(loaded);
      });
    },
  };
}

function runnerOf(worker: Worker): Runner {
  return {
    kind: 'thread',
    endpoint: worker,
    onEnd(listener) {
      // The error is told by its name only: it may be the stage's own.
      worker.on('error', (error) =>
        listener(isOutOfMemory(error) ? 'out of memory' : 'an error nobody caught'),
      );
      worker.on('exit', (code) => listener(code === 70 ? 'a rejection nobody handled' : `exit ${code}`));
    },
    async end() {
      await worker.terminate();
    },
    async cpuTime() {
      const { user, system } = await worker.cpuUsage();
      return (user + system) / 1000;
    },
  };
}

/** Lays a channel between two threads. From then on they need nobody between them. */
function connect(below: Worker, callerAt: string, above: Worker, portAt: string): void {
  const { port1, port2 } = new MessageChannel();
  const hand = (worker: Worker, target: string, endpoint: MessagePort): void =>
    worker.postMessage([MESSAGE.endpoint, target, endpoint] satisfies EndpointMessage<MessagePort>, [
      endpoint,
    ]);
  hand(below, callerAt, port1);
  hand(above, portAt, port2);
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
