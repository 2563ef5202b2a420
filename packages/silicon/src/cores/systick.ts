import { EXCEPTION, type Nvic } from './nvic.ts';

/** The system timer (B3.3), counting one a cycle; its value is derived from time when somebody asks. */
export class SysTick {
  readonly #nvic: Nvic;
  #control = 0;
  #reload = 0;
  /** When the counter comes to zero first; from then on every `reload + 1` cycles. */
  #firstZero = 0;
  /** Zeros that were passed up to the last look. */
  #seen = 0;
  #hasCounted = false;

  constructor(nvic: Nvic) {
    this.#nvic = nvic;
  }

  reset(): void {
    this.#control = 0;
    this.#reload = 0;
    this.#firstZero = 0;
    this.#seen = 0;
    this.#hasCounted = false;
  }

  get #isRunning(): boolean {
    return (this.#control & 1) !== 0 && this.#reload > 0;
  }

  get #period(): number {
    return this.#reload + 1;
  }

  /** Makes SysTick wait where the counter has come to zero since the last look. */
  advance(now: number): void {
    if (!this.#isRunning || now < this.#firstZero) return;
    const zeros = 1 + Math.floor((now - this.#firstZero) / this.#period);
    if (zeros === this.#seen) return;
    this.#seen = zeros;
    this.#hasCounted = true;
    if (this.#control & 2) this.#nvic.setPending(EXCEPTION.SysTick, true);
  }

  /** When the counter next comes to zero with an interrupt; `Infinity` where it does not. */
  nextEvent(): number {
    if (!this.#isRunning || (this.#control & 2) === 0) return Infinity;
    return this.#firstZero + this.#seen * this.#period;
  }

  #value(now: number): number {
    if (!this.#isRunning) return 0;
    if (now <= this.#firstZero) return Math.min(this.#firstZero - now, 0xff_ffff);
    const passed = (now - this.#firstZero) % this.#period;
    return passed === 0 ? 0 : this.#period - passed;
  }

  /** SYST_CSR, RVR, CVR, CALIB at 0, 4, 8, 12. */
  read(register: number, now: number): number {
    this.advance(now);
    switch (register) {
      case 0: {
        const value = this.#control | 4 | (this.#hasCounted ? 1 << 16 : 0);
        this.#hasCounted = false;
        return value;
      }
      case 4:
        return this.#reload;
      case 8:
        return this.#value(now);
      default:
        // The core's clock is the only one: no reference clock, no calibration.
        return 0x8000_0000 | 0;
    }
  }

  write(register: number, value: number, now: number): void {
    this.advance(now);
    if (register === 0) {
      const wasRunning = this.#isRunning;
      this.#control = value & 3;
      if (!wasRunning) this.#restart(now);
    } else if (register === 4) {
      const left = this.#value(now);
      this.#reload = value & 0xff_ffff;
      // What is being counted down goes on; the new value comes in at zero.
      this.#firstZero = now + (left === 0 ? this.#period : left);
      this.#seen = 0;
    } else if (register === 8) {
      this.#hasCounted = false;
      this.#restart(now);
    }
  }

  #restart(now: number): void {
    this.#firstZero = now + this.#period;
    this.#seen = 0;
  }
}
