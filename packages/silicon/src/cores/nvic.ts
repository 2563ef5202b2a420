/** Exception numbers (B1.5.2). External interrupt n is 16 + n. */
export const EXCEPTION = {
  Reset: 1,
  NMI: 2,
  HardFault: 3,
  MemManage: 4,
  BusFault: 5,
  UsageFault: 6,
  SVCall: 11,
  DebugMonitor: 12,
  PendSV: 14,
  SysTick: 15,
  External: 16,
} as const;

/** External lines of this core (vector table of the reference: 116 words). */
export const EXTERNAL_LINES = 100;
const EXCEPTIONS = EXCEPTION.External + EXTERNAL_LINES;
/** Three priority bits, on top (reference §1.2). */
const PRIORITY_MASK = 0xe0;
/** Lower than any priority. */
const THREAD_PRIORITY = 256;

/** Which exceptions wait, run and may: the NVIC and the system handlers beside it (B1.5.4, B3.4). */
export class Nvic {
  readonly #pending = new Uint8Array(EXCEPTIONS);
  readonly #active = new Uint8Array(EXCEPTIONS);
  readonly #enabled = new Uint8Array(EXCEPTIONS);
  readonly #level = new Uint8Array(EXCEPTIONS);
  readonly #priority = new Uint8Array(EXCEPTIONS);
  #pendingCount = 0;
  #activeCount = 0;
  /** AIRCR.PRIGROUP. */
  prigroup = 0;
  primask = 0;
  faultmask = 0;
  basepri = 0;

  reset(): void {
    this.#pending.fill(0);
    this.#active.fill(0);
    this.#enabled.fill(0);
    this.#priority.fill(0);
    // What is not a fault that SHCSR enables, nor an external line, is always enabled.
    for (const always of [2, 3, 11, 12, 14, 15]) this.#enabled[always] = 1;
    this.#pendingCount = 0;
    this.#activeCount = 0;
    this.prigroup = 0;
    this.primask = 0;
    this.faultmask = 0;
    this.basepri = 0;
    for (const [number, level] of this.#level.entries()) if (level) this.setPending(number, true);
  }

  isPending(number: number): boolean {
    return this.#pending[number] === 1;
  }

  isActive(number: number): boolean {
    return this.#active[number] === 1;
  }

  isEnabled(number: number): boolean {
    return this.#enabled[number] === 1;
  }

  get activeCount(): number {
    return this.#activeCount;
  }

  setPending(number: number, isPending: boolean): void {
    const value = isPending ? 1 : 0;
    if (number >= EXCEPTIONS || this.#pending[number] === value) return;
    this.#pending[number] = value;
    this.#pendingCount += isPending ? 1 : -1;
  }

  setActive(number: number, isActive: boolean): void {
    const value = isActive ? 1 : 0;
    if (number >= EXCEPTIONS || this.#active[number] === value) return;
    this.#active[number] = value;
    this.#activeCount += isActive ? 1 : -1;
    // A line that is still up waits again as soon as its handler is done.
    if (!isActive && this.#level[number] === 1) this.setPending(number, true);
  }

  setEnabled(number: number, isEnabled: boolean): void {
    if (number < EXCEPTIONS) this.#enabled[number] = isEnabled ? 1 : 0;
  }

  /** An external line goes up or down; answers whether that is a change. */
  setLevel(line: number, isUp: boolean): boolean {
    const number = EXCEPTION.External + line;
    const value = isUp ? 1 : 0;
    if (line < 0 || line >= EXTERNAL_LINES || this.#level[number] === value) return false;
    this.#level[number] = value;
    if (isUp) this.setPending(number, true);
    return true;
  }

  priorityByte(number: number): number {
    return this.#priority[number] ?? 0;
  }

  setPriorityByte(number: number, value: number): void {
    if (number >= 4 && number < EXCEPTIONS) this.#priority[number] = value & PRIORITY_MASK;
  }

  /** Negative for Reset, NMI and HardFault. */
  priorityOf(number: number): number {
    return number <= 3 ? number - 4 : (this.#priority[number] ?? 0);
  }

  #group(priority: number): number {
    if (priority < 0) return priority;
    return priority & (0xff << (this.prigroup + 1)) & 0xff;
  }

  /** ExecutionPriority (B1.5.4). `ignoresPrimask` as WFI and WFE ask. */
  executionPriority(ignoresPrimask = false): number {
    let priority = THREAD_PRIORITY;
    if (this.#activeCount > 0) {
      for (let number = 2; number < EXCEPTIONS; number++) {
        if (this.#active[number] === 1) priority = Math.min(priority, this.#group(this.priorityOf(number)));
      }
    }
    let boosted = THREAD_PRIORITY;
    if (this.basepri !== 0) boosted = this.#group(this.basepri);
    if (this.primask !== 0 && !ignoresPrimask) boosted = Math.min(boosted, 0);
    if (this.faultmask !== 0) boosted = Math.min(boosted, -1);
    return Math.min(priority, boosted);
  }

  /** Whether that is the priority of a fault's handler or above: below 0. */
  get isNegative(): boolean {
    return (
      this.faultmask !== 0 || this.#active[EXCEPTION.NMI] === 1 || this.#active[EXCEPTION.HardFault] === 1
    );
  }

  /** The waiting exception that goes first, whether or not it may interrupt; 0 where none waits. */
  highestPending(): number {
    if (this.#pendingCount === 0) return 0;
    let best = 0;
    let bestPriority = THREAD_PRIORITY + 1;
    for (let number = 2; number < EXCEPTIONS; number++) {
      if (this.#pending[number] === 1 && this.#enabled[number] === 1) {
        const priority = this.priorityOf(number);
        if (priority < bestPriority) {
          best = number;
          bestPriority = priority;
        }
      }
    }
    return best;
  }

  /** The waiting exception that interrupts what runs at `execution`; 0 where none does. */
  preempting(execution = this.executionPriority()): number {
    const number = this.highestPending();
    return number !== 0 && this.#group(this.priorityOf(number)) < execution ? number : 0;
  }

  /** The lowest priority value of anything waiting or enabled matters not: does an exception wait at all? */
  get hasPending(): boolean {
    return this.#pendingCount > 0;
  }
}
