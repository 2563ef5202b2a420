import { isBytes, type Port, type PortValue } from '@sevenfold/formats';
import type { Waker } from './waker.ts';

/** Events of the system that wait to be read. */
const MOST_WAITING = 16;

/** One event of applibs/sysevent.h, as numbers. */
export interface SystemEvent {
  readonly event: number;
  readonly status: number;
  readonly updateType: number;
  /** For which it may be put off, while it is pending. */
  readonly minutes: number;
}

/** What the kernel tells this app: signals and system events. It is asked only once the app wants to know. */
export class GuestEvents {
  readonly #kernel: Port;
  readonly #waker: Waker;
  #isListening = false;
  #signals: number[] = [];
  #watched = 0n;
  #systemEvents: SystemEvent[] = [];

  constructor(kernel: Port, waker: Waker) {
    this.#kernel = kernel;
    this.#waker = waker;
  }

  /** From now on signals of this mask (bit n: signal n) wait for `nextSignal`; others are ignored. */
  async watch(mask: bigint): Promise<void> {
    this.#watched = mask;
    if (mask === 0n) return;
    await this.#kernel.call('watchSignals');
    this.listen();
  }

  /** The next signal; null when there is none. */
  nextSignal(): number | null {
    const signal = this.#signals.shift() ?? null;
    this.#waker.isInterrupted = this.#signals.length > 0;
    return signal;
  }

  /** Whether a system event waits. */
  get hasSystemEvent(): boolean {
    return this.#systemEvents.length > 0;
  }

  nextSystemEvent(): SystemEvent | null {
    return this.#systemEvents.shift() ?? null;
  }

  /** Begins to ask the kernel, once. */
  listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#fetch().catch(() => {
      // The kernel has ended the compartment: nothing more will come.
    });
  }

  async #fetch(): Promise<never> {
    for (;;) {
      this.#take(await this.#kernel.call('nextEvent'));
      this.#waker.wake();
    }
  }

  #take(value: PortValue): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || isBytes(value)) return;
    // A record of a port: what is neither null, an array nor bytes.
    const fields = value as { readonly [key: string]: PortValue };
    if (fields['kind'] === 'signal') {
      const signal = Number(fields['signal']);
      if ((this.#watched & (1n << BigInt(signal))) === 0n) return;
      this.#signals.push(signal);
      this.#waker.isInterrupted = true;
      return;
    }
    this.#systemEvents.push({
      event: Number(fields['event']),
      status: Number(fields['status']),
      updateType: Number(fields['updateType']),
      minutes: Number(fields['minutes']),
    });
    this.#systemEvents = this.#systemEvents.slice(-MOST_WAITING);
  }
}
