import type { Pins } from '../peripherals/gpio.ts';
import type { PwmGroup } from '../peripherals/pwm.ts';

/** A light-emitting diode on a pin, lit while the pin is low (as on the reference board), as a person would see it. */
export class LedModel {
  #blinks = 0;
  #isLit = false;
  readonly #detach: () => void;

  constructor(pins: Pins, pin: number, litBy: 0 | 1 = 0) {
    this.#detach = pins.onChange((changed, level) => {
      if (changed !== pin) return;
      if (level === litBy && !this.#isLit) this.#blinks += 1;
      this.#isLit = level === litBy;
    });
  }

  get isLit(): boolean {
    return this.#isLit;
  }

  /** How often it went from dark to lit. */
  get blinks(): number {
    return this.#blinks;
  }

  detach(): void {
    this.#detach();
  }
}

/** A push button: pressed it pulls its pin to one level, released a resistor pulls it to the other. */
export class ButtonModel {
  readonly #pins: Pins;
  readonly #pin: number;
  readonly #pressedLevel: 0 | 1;

  constructor(pins: Pins, pin: number, pressedLevel: 0 | 1 = 0) {
    this.#pins = pins;
    this.#pin = pin;
    this.#pressedLevel = pressedLevel;
    this.release();
  }

  press(): void {
    this.#pins.drive(this.#pin, this.#pressedLevel);
  }

  release(): void {
    this.#pins.drive(this.#pin, this.#pressedLevel === 0 ? 1 : 0);
  }
}

/** What is driven by the wave of a PWM channel: a dimmed diode, a servo. */
export class PwmModel {
  readonly #group: PwmGroup;
  readonly #channel: number;

  constructor(group: PwmGroup, channel: number) {
    this.#group = group;
    this.#channel = channel;
  }

  /** Part of the time that the pin is high, 0 to 1; brightness of a diode that is lit by a high level. */
  get duty(): number {
    const { isRunning, period, high } = this.#group.wave(this.#channel);
    return isRunning && period > 0 ? high / period : 0;
  }

  /** Degrees of a common servo: a pulse of 1 ms is 0, one of 2 ms is 180, every 20 ms or so; null: not driven. */
  get servoAngle(): number | null {
    const { isRunning, period, high } = this.#group.wave(this.#channel);
    if (!isRunning || period < 3e6 || period > 30e6) return null;
    return Math.min(180, Math.max(0, ((high - 1e6) / 1e6) * 180));
  }
}
