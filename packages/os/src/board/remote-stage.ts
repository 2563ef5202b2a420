import type { PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';
import { PortLink, type Endpoint } from './port-link.ts';
import { portOf, portTo, type LoadedStage, type StageStart } from './stage-loader.ts';
import { CONTROL, type StageBegin } from './stage-thread.ts';

/** The thread or process of a stage, from outside. */
export interface Runner {
  /** `thread` or `process`, for the log. */
  readonly kind: string;
  readonly endpoint: Endpoint;
  /** Told once when it ends, by itself or not, with the reason. */
  onEnd(listener: (reason: string) => void): void;
  /** Ends it at once, whatever it does; resolves when it is gone. */
  end(): Promise<void>;
  /** Ms of processor time so far; null where that is not known. */
  cpuTime(): Promise<number | null>;
}

/** Starts a stage in a runner that runs `stage-runtime.ts`. Resolves when the stage's `start` did; see `StageLoader`. */
export async function startRemoteStage(
  { stage, bundle, ports, clock, log, onEnd }: StageStart,
  runner: Runner,
  onServing: (loaded: LoadedStage) => void,
): Promise<LoadedStage> {
  let isUp = false;
  let hasEnded = false;
  const serve = async (target: string, method: string, args: readonly PortValue[]): Promise<PortValue> => {
    if (target === CONTROL) {
      if (method === 'log' && typeof args[0] === 'string') log(args[0]);
      return null;
    }
    const source = Object.hasOwn(ports, target) ? ports[target] : undefined;
    if (source === undefined) throw new BoardError('NotServing', `${stage} has no port ${target}.`);
    return portOf(source).call(method, ...args);
  };
  const link = new PortLink(runner.endpoint, serve, log);
  const endClock = clock.onSet(() => link.notify(CONTROL, 'setTime', [clock.now()]));
  runner.onEnd((reason) => {
    endClock();
    link.close(`The ${runner.kind} of ${stage} has ended: ${reason}.`);
    if (isUp && !hasEnded) onEnd?.(reason);
    hasEnded = true;
  });
  const loaded: LoadedStage = {
    portFor: (caller) => portTo((name, method, args) => link.call(name, method, args), caller),
    cpuTime: () => runner.cpuTime(),
    async stop() {
      hasEnded = true;
      endClock();
      link.close(`The stage ${stage} has been stopped.`);
      await runner.end();
    },
  };
  onServing(loaded);
  const begin: StageBegin = [stage, bundle, Object.keys(ports), clock.offset];
  try {
    await link.call(CONTROL, 'begin', begin);
  } catch (error) {
    await loaded.stop();
    throw error;
  }
  isUp = true;
  return loaded;
}
