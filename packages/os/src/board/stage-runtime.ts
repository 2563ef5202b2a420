import type { PortValue } from '@sevenfold/formats';
import { BoardError } from './board-error.ts';
import { hostClock, settableClock } from './host-clock.ts';
import { PortLink, type Endpoint, type HandedEndpoint } from './port-link.ts';
import { createRealm, type Realm } from './realm.ts';
import { CONTROL, readTarget, type StageBegin } from './stage-thread.ts';

/**
 * Runs one stage at the other end of a link: in a thread or in a process of its own. A realm, and links to the board
 * and, between threads, to its neighbours; nothing else runs beside it. `yieldToOthers` lowers the priority of what
 * runs it, which is called for a compartment.
 */
export function runStage(board: Endpoint, yieldToOthers: () => void): void {
  const clock = settableClock(hostClock());
  /** Links to stages below, by the name of the port that leads there; other ports are the board's. */
  const direct = new Map<string, PortLink>();
  let realm: Realm | null = null;

  const toBoard = (line: string): void => link.notify(CONTROL, 'log', [line]);
  const begin = async ([stage, bundle, ports, clockOffset]: StageBegin): Promise<void> => {
    clock.set(clock.now() + clockOffset);
    // Before anything of the app runs: it may never give the processor back.
    if (stage === 'compartment') yieldToOthers();
    realm = createRealm(stage, bundle, ports, {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: (milliseconds) => clock.sleep(milliseconds),
      log: toBoard,
      call: (port, name, values) => (direct.get(port) ?? link).call(port, name, values),
    });
    await realm.start();
  };
  const control = async (method: string, args: readonly PortValue[]): Promise<PortValue> => {
    // The board is our own code: it sends what the type says.
    if (method === 'begin') await begin(args as unknown as StageBegin);
    else if (method === 'setTime') clock.set(Number(args[0]));
    return null;
  };
  const answer = async (caller: string, method: string, args: readonly PortValue[]): Promise<PortValue> => {
    if (realm === null) throw new BoardError('NotServing', 'The stage does not serve yet.');
    return realm.call(caller, method, args);
  };
  const connect = (target: string, endpoint: HandedEndpoint): void => {
    const { role, name } = readTarget(target);
    // The caller is what the board said when it handed this end over, whatever comes through it.
    const serve = (_: string, method: string, args: readonly PortValue[]): Promise<PortValue> =>
      answer(name, method, args);
    const refuse = async (): Promise<PortValue> => {
      throw new BoardError('NotServing', 'Nothing is served at this end.');
    };
    const neighbour = new PortLink(endpoint, role === 'caller' ? serve : refuse, toBoard);
    endpoint.on('close', () => neighbour.close('The stage at the other end is gone.'));
    if (role === 'port') direct.set(name, neighbour);
  };
  const link: PortLink = new PortLink(
    board,
    async (target, method, args) =>
      target === CONTROL ? control(method, args) : answer(target, method, args),
    toBoard,
    connect,
  );
}
