import type { PortValue } from '@sevenfold/formats';

/** Events that wait for a compartment; an app that does not fetch them loses the oldest. */
const MOST_WAITING = 16;

/** What the kernel has to tell a compartment, fetched by a call that waits. */
export class EventQueue {
  #events: PortValue[] = [];
  #wake: (() => void) | null = null;

  push(event: PortValue): void {
    this.#events.push(event);
    if (this.#events.length > MOST_WAITING) this.#events = this.#events.slice(-MOST_WAITING);
    this.#wake?.();
  }

  /** The next event, in order. A call that still waits when another comes gets nothing any more. */
  async next(): Promise<PortValue> {
    for (;;) {
      const [first, ...rest] = this.#events;
      if (first !== undefined) {
        this.#events = rest;
        return first;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
