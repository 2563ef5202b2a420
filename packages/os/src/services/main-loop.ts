import { describeError } from './errors.ts';
import type { Rounds } from './gateway.ts';
import { uploadReports } from './reporter.ts';
import { runRound, type RoundResult, type ServicesContext } from './round.ts';
import { REPORT_INTERVAL, checkDelay, fractionOf, retryDelay } from './schedule.ts';

/** The main loop: one round at a time, by appointment or at once when asked. */
export interface MainLoop extends Rounds {
  /** Runs until the device restarts or loses power. */
  run(): Promise<void>;
}

/** Milliseconds between an answer to the gateway and the restart that it announces. */
const RESTART_DELAY = 500;
/** Rounds in a row that fail, over some minutes, before a device without entropy tries a reset. */
const STARVED_ROUNDS = 6;

/** Makes the main loop; nothing happens before `run`. */
export function createMainLoop(context: ServicesContext): MainLoop {
  const { kernel, clock, log } = context;
  let failures = 0;
  let due = clock.monotonic();
  let waiting: (() => void)[] = [];
  let wake = (): void => {};

  /** Spreads the fleet, and is no secret: a chip without entropy says so in its round, and goes on asking. */
  async function spread(): Promise<number> {
    try {
      return fractionOf(await kernel.random(4));
    } catch {
      return 0.5;
    }
  }

  /** A noise source that failed is tested again by a reset alone; a false alarm must not end a device for good. */
  const isStarvedForLong = (): boolean =>
    failures >= STARVED_ROUNDS && context.state.lastError?.startsWith('EntropyFailure:') === true;

  async function delayAfter(result: RoundResult): Promise<number> {
    const fraction = await spread();
    if (result.nextCheck !== null) {
      failures = 0;
      return checkDelay(result.nextCheck, fraction);
    }
    failures += 1;
    return retryDelay(failures, fraction, result.appointment);
  }

  /** Waits until the next round is due or asked for; meanwhile delivers what fails on this device. */
  async function idle(): Promise<void> {
    while (waiting.length === 0) {
      const left = due - clock.monotonic();
      if (left <= 0) return;
      const asked = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await Promise.race([asked, clock.sleep(Math.min(left, REPORT_INTERVAL))]);
      if (waiting.length === 0 && clock.monotonic() < due) await deliverReports();
    }
  }

  async function deliverReports(): Promise<void> {
    const identity = context.state.credentials?.update;
    if (identity === undefined || context.state.phase !== 'idle') return;
    try {
      await uploadReports(context, identity);
    } catch (error) {
      // They stay in flash; the next round says what is wrong if it lasts.
      log(`reports not delivered: ${describeError(error)}`);
    }
  }

  return {
    nextCheck: () => clock.now() + Math.max(0, Math.round(due - clock.monotonic())),
    checkNow: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        wake();
      }),
    async run() {
      for (;;) {
        const asked = waiting;
        waiting = [];
        const result = await runRound(context, asked.length > 0);
        due = clock.monotonic() + (await delayAfter(result));
        // Before a restart nobody who asked meanwhile gets another round: this one's outcome is all there is to tell.
        const restarts = result.restartRequired || isStarvedForLong();
        const answered = restarts ? [...asked, ...waiting] : asked;
        for (const resolve of answered) resolve();
        if (restarts) {
          log(
            result.restartRequired
              ? 'restarting into the new OS'
              : 'restarting: perhaps the noise source recovers',
          );
          // Who asked gets the answer first.
          if (answered.length > 0) await clock.sleep(RESTART_DELAY);
          await kernel.restart();
          return;
        }
        await idle();
      }
    },
  };
}
