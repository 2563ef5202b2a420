/** Where time comes from: instructions since reset. */
export interface CoreTime {
  readonly now: () => number;
}

/** DWT's cycle counter: it counts what the core counts, where its control says so, and else stands. */
export class CycleCounter {
  readonly #time: CoreTime;
  #isRunning = false;
  /** The time at which it was 0, or what it stands at. */
  #base = 0;
  #frozen = 0;

  constructor(time: CoreTime) {
    this.#time = time;
  }

  reset(): void {
    this.#isRunning = false;
    this.#base = 0;
    this.#frozen = 0;
  }

  /** DWT_CTRL: bit 0 CYCCNTENA. */
  get control(): number {
    return Number(this.#isRunning);
  }

  set control(value: number) {
    const { count } = this;
    this.#isRunning = (value & 1) !== 0;
    this.count = count;
  }

  /** DWT_CYCCNT. */
  get count(): number {
    return this.#isRunning ? (this.#time.now() - this.#base) | 0 : this.#frozen;
  }

  set count(value: number) {
    this.#base = this.#time.now() - (value >>> 0);
    this.#frozen = value;
  }
}
