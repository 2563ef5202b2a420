import { Worker } from 'node:worker_threads';
import { BoardError } from './board-error.ts';
import { PortLink } from './port-link.ts';
import { portTo, type LoadedStage, type StageLoader } from './stage-loader.ts';
import { CONTROL, type StageWorkerData } from './stage-thread.ts';
import type { Port, PortValue } from '@sevenfold/formats';

/** Heap of a stage's thread in MiB: enough for every stage, and an end for one that runs wild. */
const HEAP = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 } as const;

/**
 * A worker thread for each stage, on the host's time: the everyday virtual device. `workerScript` is the bundled
 * program of `stage-worker.ts`; without it every thread translates that file by itself.
 */
export function threadLoader(workerScript: string | null = null): StageLoader {
  return {
    async start({ stage, bundle, ports, clock, log, onEnd }, onServing) {
      const data: StageWorkerData = { stage, bundle, ports: Object.keys(ports), clockOffset: clock.offset };
      const worker = new Worker(workerScript ?? new URL('./stage-worker.ts', import.meta.url), {
        eval: workerScript !== null,
        workerData: data,
        name: stage,
        // Nothing of the host process is inherited.
        env: {},
        argv: [],
        execArgv: [],
        resourceLimits: HEAP,
      });
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
      onServing(loaded);
      try {
        await link.call(CONTROL, 'start', []);
      } catch (error) {
        await loaded.stop();
        throw error;
      }
      isUp = true;
      return loaded;
    },
  };
}

async function serve(
  stage: string,
  ports: Readonly<Record<string, Port>>,
  log: (line: string) => void,
  target: string,
  method: string,
  args: readonly PortValue[],
): Promise<PortValue> {
  if (target === CONTROL) {
    if (method === 'log' && typeof args[0] === 'string') log(args[0]);
    return null;
  }
  const port = Object.hasOwn(ports, target) ? ports[target] : undefined;
  if (port === undefined) throw new BoardError('NotServing', `${stage} has no port ${target}.`);
  return port.call(method, ...args);
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
