import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { Port, PortValue, StageName } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';
import { PortLink, type EndpointMessage } from './port-link.ts';
import { portTo, type LoadedStage, type PortSource, type StageLoader } from './stage-loader.ts';
import { CONTROL, callerTarget, portTarget, type StageBegin } from './stage-thread.ts';

/** Heap of a stage's thread in MiB: enough for every stage, and an end for one that runs wild. */
const HEAP = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 } as const;

/**
 * A worker thread for each stage, on the host's time: the everyday virtual device. Stages speak to each other over
 * channels of their own. `workerScript` is the bundled program of `stage-worker.ts`; without it every thread
 * translates that file by itself.
 */
export function threadLoader(workerScript: string | null = null): StageLoader {
  /** Threads that have been started and not been told yet which bundle they run. */
  const ready = new Map<StageName, Worker>();
  /** The threads of running stages: what this loader did not start, it cannot connect. */
  const threads = new WeakMap<LoadedStage, Worker>();

  const makeWorker = (stage: StageName): Worker =>
    new Worker(workerScript ?? new URL('./stage-worker.ts', import.meta.url), {
      eval: workerScript !== null,
      name: stage,
      // Nothing of the host process is inherited.
      env: {},
      argv: [],
      execArgv: [],
      resourceLimits: HEAP,
    });
  const takeWorker = (stage: StageName): Worker => {
    const worker = ready.get(stage);
    ready.delete(stage);
    return worker ?? makeWorker(stage);
  };

  return {
    prepare(stages) {
      for (const stage of stages) if (!ready.has(stage)) ready.set(stage, makeWorker(stage));
    },

    async release() {
      const unused = [...ready.values()];
      ready.clear();
      await Promise.all(unused.map((worker) => worker.terminate()));
    },

    async start({ stage, bundle, ports, clock, log, onEnd }, onServing) {
      const worker = takeWorker(stage);
      let isUp = false;
      let hasEnded = false;
      const link = new PortLink(
        worker,
        (target, method, args) => serve(stage, ports, log, target, method, args),
        log,
      );
      const endClock = clock.onSet(() => link.notify(CONTROL, 'setTime', [clock.now()]));
      const ended = (reason: string): void => {
        endClock();
        link.close(`The thread of ${stage} has ended: ${reason}.`);
        if (isUp && !hasEnded) onEnd?.(reason);
        hasEnded = true;
      };
      // The error is told by its name only: it may be the stage's own.
      worker.on('error', (error) => ended(isOutOfMemory(error) ? 'out of memory' : 'an error nobody caught'));
      worker.on('exit', (code) => ended(code === 70 ? 'a rejection nobody handled' : `exit ${code}`));

      const loaded: LoadedStage = {
        portFor: (caller) => portTo((name, method, args) => link.call(name, method, args), caller),
        async stop() {
          hasEnded = true;
          endClock();
          link.close(`The stage ${stage} has been stopped.`);
          await worker.terminate();
        },
      };
      threads.set(loaded, worker);
      onServing(loaded);
      for (const [name, source] of Object.entries(ports)) {
        const below = 'stage' in source ? threads.get(source.stage) : undefined;
        if (below !== undefined && 'stage' in source)
          connect(below, callerTarget(source.caller), worker, portTarget(name));
      }
      const begin: StageBegin = [stage, bundle, Object.keys(ports), clock.offset];
      try {
        await link.call(CONTROL, 'begin', begin);
      } catch (error) {
        await loaded.stop();
        throw error;
      }
      isUp = true;
      return loaded;
    },
  };
}

/** Lays a channel between two threads. From then on they need nobody between them. */
function connect(below: Worker, callerAt: string, above: Worker, portAt: string): void {
  const { port1, port2 } = new MessageChannel();
  const hand = (worker: Worker, target: string, endpoint: MessagePort): void =>
    worker.postMessage({ kind: 'endpoint', target, endpoint } satisfies EndpointMessage<MessagePort>, [
      endpoint,
    ]);
  hand(below, callerAt, port1);
  hand(above, portAt, port2);
}

async function serve(
  stage: string,
  ports: Readonly<Record<string, PortSource>>,
  log: (line: string) => void,
  target: string,
  method: string,
  args: readonly PortValue[],
): Promise<PortValue> {
  if (target === CONTROL) {
    if (method === 'log' && typeof args[0] === 'string') log(args[0]);
    return null;
  }
  const port = boardPort(Object.hasOwn(ports, target) ? ports[target] : undefined);
  if (port === null) throw new BoardError('NotServing', `${stage} has no port ${target}.`);
  return port.call(method, ...args);
}

/** A port that the board answers; other stages are reached without it. */
function boardPort(source: PortSource | undefined): Port | null {
  return source === undefined || 'stage' in source ? null : source;
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
