import { createRealm } from './realm.ts';
import { BoardError } from './board-error.ts';
import { portOf, portTo, type LoadedStage, type StageLoader } from './stage-loader.ts';

/**
 * All stages in one thread, a realm each: for virtual time, fault sweeps and simulations of many devices. A stage
 * that loops for ever stops all others: for that there are threads.
 */
export function inlineLoader(): StageLoader {
  return {
    walls: [],
    prepare() {},
    release: () => Promise.resolve(),
    async start({ stage, bundle, ports, clock, log }, onServing) {
      const realm = createRealm(stage, bundle, Object.keys(ports), {
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        sleep: (milliseconds) => clock.sleep(milliseconds),
        log,
        call(port, method, args) {
          const target = Object.hasOwn(ports, port) ? ports[port] : undefined;
          if (target === undefined) throw new BoardError('NotServing', `${stage} has no port ${port}.`);
          return portOf(target).call(method, ...args);
        },
      });
      const loaded: LoadedStage = {
        portFor: (caller) => portTo((name, method, args) => realm.call(name, method, args), caller),
        // One thread for all.
        cpuTime: () => Promise.resolve(null),
        stop: () => {
          realm.stop();
          return Promise.resolve();
        },
      };
      onServing(loaded);
      try {
        await realm.start();
      } catch (error) {
        realm.stop();
        throw error;
      }
      return loaded;
    },
  };
}
