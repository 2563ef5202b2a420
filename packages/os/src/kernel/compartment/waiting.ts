import type { Clock } from '@sevenfold/formats';
import { earlier } from './epoll-file.ts';
import type { Guest } from './guest.ts';

/** What a look at the descriptors gave: an answer, or when it is worth to look again. */
export interface Look<T> {
  /** Null: nothing is ready. */
  readonly found: T | null;
  readonly changesAt: number | null;
}

/** Calls answered at once in a row after which others get their turn: data that arrived has to be delivered. */
const LONGEST_BUSY_RUN = 32;
/** Ms of a pause that others use: the least that any clock counts. */
export const TURN = 1;

/** Waits for descriptors and times, and sees to it that a busy app does not starve its own connections. */
export class Waiting {
  #busy = 0;

  /** Looks until something is found or the monotonic time `deadline` (null: none) has come; null then. */
  async until<T>(guest: Guest, deadline: number | null, look: () => Look<T>): Promise<T | null> {
    const { clock, waker } = guest;
    let isFirst = true;
    const began = clock.monotonic();
    for (;;) {
      const { found, changesAt } = look();
      const isLate = deadline !== null && deadline <= clock.monotonic();
      if (found !== null || isLate) {
        // What fails as soon as it is tried wakes its waiter at once as well: that is no pause.
        if (!isFirst && clock.monotonic() > began) this.#busy = 0;
        else await this.#yield(clock, found === null);
        return found ?? look().found;
      }
      isFirst = false;
      await waker.until(earlier(deadline, changesAt));
    }
  }

  /** After `LONGEST_BUSY_RUN` answers without a pause, or at once when the app only asks whether there is anything. */
  async #yield(clock: Clock, isIdle: boolean): Promise<void> {
    this.#busy += 1;
    if (!isIdle && this.#busy < LONGEST_BUSY_RUN) return;
    this.#busy = 0;
    await clock.sleep(TURN);
  }
}
