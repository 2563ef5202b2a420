import type { Peripheral } from '../bus.ts';
import { ClockControl } from '../peripherals/clock-control.ts';
import { Uart } from '../peripherals/uart.ts';
import { EventQueue, type Timeline } from '../timeline.ts';
import type { CoreBus } from './access.ts';
import { CoreClock, TICKS_PER_SECOND } from './core-clock.ts';
import { snapshotOf, type CoreFailure, type CoreSnapshot } from './core-failure.ts';
import { Core, type CoreOptions } from './core.ts';
import type { FaultName } from './fault.ts';
import { Gpt } from './gpt.ts';
import { EXCEPTION } from './nvic.ts';
import { registerBus } from './register-bus.ts';
import { TCM } from './state.ts';

/** What a core's surroundings give it, and want to hear. */
export interface RealTimeCoreParts {
  /** Everything that is not the core's own. */
  readonly bus: CoreBus;
  /** The core's ends of the mailboxes with the application core and with the other real-time core. */
  readonly mailboxes: { readonly application: Peripheral; readonly other: Peripheral };
  readonly engine?: CoreOptions['engine'];
  /** A byte that has left the debug UART. */
  readonly onDebugByte: (byte: number) => void;
  /** Told once when the core has failed: it does not run any more. */
  readonly onFailure: (failure: CoreFailure) => void;
}

/** Upper halves of the addresses of what every core has its own copy of (real-time-cores.md §1.2). */
const BLOCK = { clock: 0x2101, gpt: 0x2103, debugUart: 0x2104, application: 0x2105, other: 0x2106 } as const;
const DEBUG_UART_LINE = 4;
/** Seconds that a fault's handler may take: one that goes on for longer is where the program has ended. */
const LONGEST_FAULT_HANDLER = 1;
const FAULTS = [EXCEPTION.HardFault, EXCEPTION.MemManage, EXCEPTION.BusFault, EXCEPTION.UsageFault] as const;

/**
 * A real-time core with everything that is its own: memories, timers, debug UART, clock. It stands still until it is
 * started. Time is in ticks of 1 / 197.6 MHz and virtual: the same program and inputs make the same run.
 */
export class RealTimeCore {
  readonly core: Core;
  readonly debugUart: Uart;
  /** The core's time, for peripherals that it drives. */
  readonly timeline: Timeline;
  readonly #events: EventQueue;
  readonly #clock: CoreClock;
  readonly #parts: RealTimeCoreParts;
  readonly #own: ReadonlyMap<number, Peripheral>;
  #isRunning = false;
  #failure: CoreFailure | null = null;
  /** The newest fault whose handler may still be running. */
  #fault: { readonly name: FaultName; readonly snapshot: CoreSnapshot } | null = null;

  constructor(parts: RealTimeCoreParts) {
    this.#parts = parts;
    const { application, other } = parts.mailboxes;
    const clock = new ClockControl((source) => {
      this.#clock.select(source);
      // How many instructions are left of this run has changed.
      this.core.endRun();
    });
    const gpt = new Gpt({
      now: () => this.#clock.now(),
      cyclesPerSecond: TICKS_PER_SECOND,
      setLine: (line, isUp) => this.setLine(line, isUp),
    });
    this.debugUart = new Uart(
      (isHigh) => this.setLine(DEBUG_UART_LINE, isHigh),
      () => this.timeline,
    );
    this.debugUart.attach({ receive: (byte) => parts.onDebugByte(byte) });
    this.#own = new Map<number, Peripheral>([
      [BLOCK.clock, clock],
      [BLOCK.gpt, gpt],
      [BLOCK.debugUart, this.debugUart],
    ]);
    const { engine } = parts;
    const mailboxes: [number, Peripheral][] = [
      [BLOCK.application, application],
      [BLOCK.other, other],
    ];
    const bus = registerBus(new Map([...this.#own, ...mailboxes]), parts.bus);
    this.core = new Core(engine === undefined ? { bus } : { bus, engine });
    this.core.onFault = ({ name }, from) => this.#noteFault(name, from);
    this.#clock = new CoreClock(this.core);
    this.#events = new EventQueue(() => this.#clock.now() / TICKS_PER_SECOND);
    this.timeline = this.#events;
    this.#clock.drive(gpt);
    this.#clock.drive({
      advance: () => this.#events.advance(),
      nextEvent: () => this.#events.nextEvent() * TICKS_PER_SECOND,
    });
  }

  /** Ticks since the core was made; while it does not run, none pass. */
  get time(): number {
    return this.#clock.now();
  }

  get state(): 'off' | 'running' | 'failed' {
    return this.#isRunning ? 'running' : this.#failure === null ? 'off' : 'failed';
  }

  /** Why the core has failed; null from the next start on. */
  get failure(): CoreFailure | null {
    return this.#failure;
  }

  /** Tick at which the core next does something by itself: now, unless it sleeps. `Infinity`: not at all. */
  nextEvent(): number {
    const { core } = this;
    if (!this.#isRunning || core.halt === 'breakpoint') return Infinity;
    if (core.halt !== 'sleeping' || core.processor.canWake()) return this.time;
    const ticks = core.nextEvent();
    return ticks === Infinity ? Infinity : this.#clock.tickOf(ticks);
  }

  /** An interrupt line from outside goes up or down. */
  setLine(line: number, isUp: boolean): void {
    this.core.setLine(line, isUp);
  }

  /** Puts bytes into TCM, SYSRAM or XIP. Throws `RangeError`. */
  load(address: number, bytes: Uint8Array): void {
    this.core.load(address, bytes);
  }

  /**
   * Leaves reset: SP and PC are the first words at `vectors`. Memories stay as they were loaded, and mailboxes as they
   * are: what the other end has posted waits.
   */
  start(vectors: number = TCM.base): void {
    this.stop();
    this.#failure = null;
    this.core.reset(vectors);
    this.#isRunning = true;
  }

  /** Into reset, from which `start` leads. */
  stop(): void {
    this.#isRunning = false;
    this.#fault = null;
    this.#events.clear();
    for (const device of this.#own.values()) device.reset();
  }

  /**
   * Lets ticks pass; gives how many did: none where the core is not running, less where it comes to a breakpoint or
   * fails, up to one instruction more.
   */
  run(ticks: number): number {
    const start = this.time;
    const end = start + ticks;
    while (this.#isRunning && this.time < end) {
      const passed = this.core.run(Math.max(1, this.#clock.cycleOf(end) - this.core.now));
      this.#judge();
      if (passed === 0) break;
    }
    return this.time - start;
  }

  /** Bytes for the debug UART's receiver. */
  debugInput(bytes: Uint8Array): void {
    for (const byte of bytes) this.debugUart.arrive(byte);
  }

  #judge(): void {
    const { core } = this;
    if (!this.#isRunning) return;
    if (core.halt === 'locked') this.#fail('lockup');
    else if (core.processor.scs.isResetRequested) this.#fail(this.#isInFault() ? 'fault' : 'reset');
  }

  #noteFault(name: FaultName, from: number): void {
    // What fails in a fault's handler follows from the first one.
    if (this.#fault !== null && this.#isInFault()) return;
    const fault = { name, snapshot: snapshotOf(this.core, from) };
    this.#fault = fault;
    this.#events.after(LONGEST_FAULT_HANDLER, () => {
      if (this.#fault === fault && this.#isInFault()) this.#fail('fault');
    });
  }

  #isInFault(): boolean {
    return FAULTS.some((number) => this.core.nvic.isActive(number));
  }

  #fail(kind: CoreFailure['kind']): void {
    const { core } = this;
    const { cfsr, hfsr, mmfar, bfar } = core.processor.scs;
    const fault = this.#isInFault() || kind === 'lockup' ? this.#fault : null;
    const failure: CoreFailure = {
      kind,
      fault: fault?.name ?? null,
      ...(fault?.snapshot ?? snapshotOf(core, core.register(15))),
      cfsr: cfsr >>> 0,
      hfsr: hfsr >>> 0,
      mmfar: mmfar >>> 0,
      bfar: bfar >>> 0,
      time: this.time,
    };
    core.endRun();
    this.stop();
    this.#failure = failure;
    this.#parts.onFailure(failure);
  }
}
