import {
  LONGEST_POWER_DOWN,
  POWER_PROFILES,
  POWER_REGISTERS,
  RESET_REASONS,
  type ResetReason,
} from '@sevenfold/formats';
import type { Peripheral } from '../bus.ts';

/**
 * Why the chip left reset, and how long it may sleep. Software arms a power-down; it happens at the next restart that
 * the Security Monitor orders, and ends at the wake alarm, a day later at most: no kernel keeps a device from its
 * updates longer than that.
 */
export class PowerUnit implements Peripheral {
  #reason: ResetReason = 'PowerOn';
  #isArmed = false;
  #alarm = 0;
  #profile = 0;

  /** Why the chip last left reset. */
  get reason(): ResetReason {
    return this.#reason;
  }

  /** Seconds that the chip is to sleep from its next restart on; null: it just restarts. */
  get armedSeconds(): number | null {
    return this.#isArmed ? this.#alarm : null;
  }

  /** How fast the application core runs; of no effect on a virtual chip. */
  get profile(): (typeof POWER_PROFILES)[number] {
    return POWER_PROFILES[this.#profile] ?? POWER_PROFILES[0];
  }

  /** The chip leaves reset for this reason. */
  begin(reason: ResetReason): void {
    this.#reason = reason;
  }

  read(offset: number): number {
    switch (offset) {
      case POWER_REGISTERS.CTRL:
        return this.#isArmed ? 1 : 0;
      case POWER_REGISTERS.ALARM:
        return this.#alarm;
      case POWER_REGISTERS.REASON:
        return RESET_REASONS.indexOf(this.#reason);
      case POWER_REGISTERS.PROFILE:
        return this.#profile;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    if (offset === POWER_REGISTERS.CTRL) this.#isArmed = (value & 1) !== 0;
    if (offset === POWER_REGISTERS.ALARM) this.#alarm = Math.min(LONGEST_POWER_DOWN, Math.max(1, value));
    if (offset === POWER_REGISTERS.PROFILE && value < POWER_PROFILES.length) this.#profile = value;
  }

  /** Disarms; the reason stays to be read. */
  reset(): void {
    this.#isArmed = false;
    this.#alarm = 0;
    this.#profile = 0;
  }
}
