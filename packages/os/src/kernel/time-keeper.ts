import type { Clock, Port } from '@sevenfold/formats';
import { KernelError } from './errors.ts';

/** How far a time server that nobody vouches for may be from what the device's own service said. */
const TOLERANCE = 24 * 3_600_000;

/** Who says what time it is. `service`: the authenticated one; `server`: any that answered over the network. */
export type TimeSource = 'service' | 'server' | 'app' | 'battery';

/** Sets the device's clock, and knows whether anybody ever did. */
export class TimeKeeper {
  readonly #hardware: Port;
  readonly #clock: Clock;
  #isKnown = false;
  /** What the service said, and the monotonic ms at which it did. */
  #vouched: { readonly time: number; readonly at: number } | null = null;

  constructor(hardware: Port, clock: Clock) {
    this.#hardware = hardware;
    this.#clock = clock;
  }

  /** Whether somebody told the time since the last boot. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Sets the clock (ms since 1970). Refuses with BadSetting a time server that is a day off what the service said. */
  async set(time: number, source: TimeSource): Promise<void> {
    const at = this.#clock.monotonic();
    if (source === 'server' && this.#vouched !== null) {
      const expected = this.#vouched.time + (at - this.#vouched.at);
      if (Math.abs(time - expected) > TOLERANCE)
        throw new KernelError('BadSetting', 'The time server is a day or more off.', { field: 'time' });
    }
    if (source === 'service') this.#vouched = { time, at };
    await this.#hardware.call('setTime', time);
    this.#isKnown = true;
  }
}
