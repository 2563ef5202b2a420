import type { Clock } from '@sevenfold/formats';
import { CallRefused } from './errno.ts';

/**
 * Waits for a time or for something that happens. A clock's sleep cannot be taken back, so the pending ones are
 * remembered and used again: a wait adds a sleep only if nothing would wake it in time anyway.
 */
export class Waker {
  readonly #clock: Clock;
  /** Monotonic times for which a sleep is pending. */
  readonly #pending = new Set<number>();
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes whoever waits: something may have become ready. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** A signal that the app has yet to take: what it waits for in its own name ends with EINTR meanwhile. */
  isInterrupted = false;

  /**
   * As `pause`, for what the app itself waits for: EINTR when a signal has come (POSIX, signal concepts). What was
   * waited for is lost to nobody: it is still there for the next call.
   */
  async until(time: number | null): Promise<void> {
    if (!this.isInterrupted) await this.pause(time);
    if (this.isInterrupted) throw new CallRefused('EINTR');
  }

  /** The monotonic time that comes `patience` ms from now; null for 0, which is no limit. */
  deadline(patience: number): number | null {
    return patience === 0 ? null : this.#clock.monotonic() + patience;
  }

  /** As `until`, with EAGAIN when the deadline has come (`SO_RCVTIMEO`, `SO_SNDTIMEO`). */
  async untilDeadline(deadline: number | null): Promise<void> {
    if (deadline !== null && deadline <= this.#clock.monotonic()) throw new CallRefused('EAGAIN');
    await this.until(deadline);
  }

  /** Resolves at the next `wake`, at a pending time, or at `time` (monotonic ms; null: never); callers look again. */
  pause(time: number | null): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
    if (time !== null && ![...this.#pending].some((earlier) => earlier <= time)) {
      this.#pending.add(time);
      void this.#clock.sleep(Math.max(0, time - this.#clock.monotonic())).then(() => {
        this.#pending.delete(time);
        this.wake();
      });
    }
    return woken;
  }
}
