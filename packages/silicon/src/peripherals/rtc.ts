import { RTC_IS_SET, RTC_REGISTERS, type Clock } from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';

/** What the battery keeps: milliseconds that the clock is ahead of the board's crystal; null: never set. */
export interface RtcStorage {
  read(): number | null;
  write(ahead: number): void;
  close(): void;
}

/**
 * The real-time clock. It runs on its battery whatever becomes of the chip's power, and is only as right as the one
 * who set it. Before it was ever set it gives 0.
 */
export class RealTimeClock implements Peripheral {
  readonly #storage: RtcStorage;
  readonly #clock: () => Clock | null;
  #latched = 0;
  #low = 0;

  constructor(storage: RtcStorage, clock: () => Clock | null) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Milliseconds since 1970; null: never set, or the board gives no crystal. */
  get time(): number | null {
    const clock = this.#clock();
    const ahead = this.#storage.read();
    return clock === null || ahead === null ? null : Math.max(0, Math.floor(clock.now() + ahead));
  }

  read(offset: number): number {
    switch (offset) {
      case RTC_REGISTERS.LOW: {
        // Both words of one moment: the high one is kept until it is asked for.
        const time = this.time ?? 0;
        this.#latched = Math.floor(time / 2 ** 32);
        return time % 2 ** 32;
      }
      case RTC_REGISTERS.HIGH:
        return this.#latched;
      case RTC_REGISTERS.STATUS:
        return this.time === null ? 0 : RTC_IS_SET;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    const clock = this.#clock();
    if (offset === RTC_REGISTERS.LOW) this.#low = value;
    if (offset === RTC_REGISTERS.HIGH && clock !== null)
      this.#storage.write((value & 0x1f_ffff) * 2 ** 32 + this.#low - clock.now());
  }

  /** A reset of the chip is none of the battery's business. */
  reset(): void {
    this.#low = 0;
    this.#latched = 0;
  }
}
