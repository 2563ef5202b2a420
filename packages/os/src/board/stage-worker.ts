import { parentPort, workerData } from 'node:worker_threads';
import type { PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';
import { hostClock, settableClock } from './host-clock.ts';
import { PortLink } from './port-link.ts';
import { createRealm, type Realm } from './realm.ts';
import { CONTROL, type StageWorkerData } from './stage-thread.ts';

/** The thread of one stage: a realm, and a link to the board. Nothing but this file's imports runs beside it. */
function run(): void {
  if (parentPort === null) return;
  const { stage, bundle, ports, clockOffset } = workerData as StageWorkerData;
  const clock = settableClock(hostClock(), clockOffset);
  let realm: Realm | null = null;

  const toBoard = (line: string): void => link.notify(CONTROL, 'log', [line]);
  const control = async (method: string, args: readonly PortValue[]): Promise<PortValue> => {
    if (method === 'start') {
      realm = createRealm(stage, bundle, ports, {
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        sleep: (milliseconds) => clock.sleep(milliseconds),
        log: toBoard,
        call: (port, name, values) => link.call(port, name, values),
      });
      await realm.start();
    } else if (method === 'setTime') clock.set(Number(args[0]));
    return null;
  };
  const link: PortLink = new PortLink(
    parentPort,
    async (target, method, args) => {
      if (target === CONTROL) return control(method, args);
      if (realm === null) throw new BoardError('NotServing', `${stage} does not serve yet.`);
      return realm.call(target, method, args);
    },
    toBoard,
  );

  // A rejection that nobody handles ends the stage. Its reason is not looked at: that could run the stage's code.
  process.on('unhandledRejection', () => {
    process.exit(70);
  });
}

run();
