import type { Clock } from '@sevenfold/formats';
import { CallRefused } from './errno.ts';
import { FILE_TYPE, NON_BLOCKING, OpenFile, READY, type Readiness } from './open-file.ts';
import type { Waker } from './waker.ts';

/** Clocks, WASI's numbers. */
export const CLOCK = { realtime: 0, monotonic: 1 } as const;
/** `TFD_TIMER_ABSTIME` */
const ABSOLUTE = 1;

/** A timer as a file, as Linux's timerfd. Times are milliseconds of the monotonic clock. */
export class TimerFile extends OpenFile {
  readonly fileType = FILE_TYPE.unknown;
  readonly #clock: Clock;
  readonly #waker: Waker;
  readonly #isRealtime: boolean;
  #next: number | null = null;
  #interval = 0;

  constructor(clock: Clock, waker: Waker, clockId: number) {
    super();
    if (clockId !== CLOCK.realtime && clockId !== CLOCK.monotonic) throw new CallRefused('EINVAL');
    this.#clock = clock;
    this.#waker = waker;
    this.#isRealtime = clockId === CLOCK.realtime;
  }

  /** Arms with `value` ms from now (or, with `ABSOLUTE`, at that time of its clock), then every `interval` ms; 0 disarms. */
  set(flags: number, value: number, interval: number): void {
    if ((flags & ~ABSOLUTE) !== 0 || value < 0 || interval < 0) throw new CallRefused('EINVAL');
    const now = this.#clock.monotonic();
    this.#interval = interval;
    if (value === 0) this.#next = null;
    else if ((flags & ABSOLUTE) === 0) this.#next = now + value;
    else this.#next = this.#isRealtime ? now + (value - this.#clock.now()) : value;
    this.#waker.wake();
  }

  /** Ms to the next expiration (0: disarmed), and the period. */
  get(): { readonly value: number; readonly interval: number } {
    if (this.#next === null) return { value: 0, interval: this.#interval };
    const left = this.#next - this.#clock.monotonic();
    // A timer that has expired and is periodic is already on its way to the next expiration.
    if (left <= 0 && this.#interval > 0)
      return { value: this.#interval + (left % this.#interval), interval: this.#interval };
    return { value: Math.max(0, left), interval: this.#interval };
  }

  override readiness(): Readiness {
    const isDue = this.#next !== null && this.#next <= this.#clock.monotonic();
    return { events: isDue ? READY.input : 0, changesAt: this.#next };
  }

  #take(): Uint8Array | null {
    const now = this.#clock.monotonic();
    if (this.#next === null || this.#next > now) return null;
    const late = this.#interval > 0 ? Math.floor((now - this.#next) / this.#interval) : 0;
    this.#next = this.#interval > 0 ? this.#next + (late + 1) * this.#interval : null;
    const count = new Uint8Array(8);
    new DataView(count.buffer).setBigUint64(0, BigInt(late + 1), true);
    return count;
  }

  /** The number of expirations since the last read, as u64. */
  override read(most: number): Uint8Array | Promise<Uint8Array> {
    if (most < 8) throw new CallRefused('EINVAL');
    const count = this.#take();
    if (count !== null) return count;
    if ((this.flags & NON_BLOCKING) !== 0) throw new CallRefused('EAGAIN');
    return this.#wait();
  }

  async #wait(): Promise<Uint8Array> {
    for (;;) {
      const count = this.#take();
      if (count !== null) return count;
      await this.#waker.until(this.#next);
    }
  }
}
