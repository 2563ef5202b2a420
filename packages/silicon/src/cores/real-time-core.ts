import type { Peripheral } from '../bus.ts';
import { SiliconError } from '../errors.ts';
import { ClockControl } from '../peripherals/clock-control.ts';
import { CoreWatchdog, type CoreResetCause } from '../peripherals/core-watchdog.ts';
import { Dma } from '../peripherals/dma.ts';
import { SPI_REQUESTS } from '../peripherals/interrupts.ts';
import { InterruptControl } from '../peripherals/interrupt-control.ts';
import { Uart } from '../peripherals/uart.ts';
import { EventQueue, type Timeline } from '../timeline.ts';
import { CoreClock, TICKS_PER_SECOND } from './core-clock.ts';
import type { CoreHost, CoreHostParts } from './core-host.ts';
import type { CoreInput, CoreTape } from './core-tape.ts';
import { noteOf, snapshotOf, type CoreFailure, type CoreSnapshot } from './core-failure.ts';
import { Core } from './core.ts';
import type { FaultName } from './fault.ts';
import { Gpt } from './gpt.ts';
import { EXCEPTION } from './nvic.ts';
import { registerBus } from './register-bus.ts';
import { offsetOf, SYSRAM_OFFSET, TCM, XIP_OFFSET } from './state.ts';

/** What a core is made with. */
export interface RealTimeCoreParts extends CoreHostParts {
  /** Where all that the core is told is kept, for a debugger that goes back; without one nothing is. */
  readonly tape?: CoreTape;
}

/** Upper halves of the addresses of what every core has its own copy of (real-time-cores.md §1.2). */
const BLOCK = {
  bootAlias: 0x0000,
  interruptControl: 0x2100,
  clock: 0x2101,
  watchdog: 0x2102,
  gpt: 0x2103,
  debugUart: 0x2104,
  application: 0x2105,
  other: 0x2106,
  infraBus: 0x2107,
  dma: 0x2108,
} as const;
const LINE = { watchdog: 3, debugUart: 4, dma: 77 } as const;
const BLOCK_BITS = 16;
/** Upper four bits of the addresses of everything beyond the core that is made of registers. */
const PERIPHERALS = 3;
const PERIPHERALS_BITS = 28;
const SERIAL_CHANNELS = 12;
/** CPACR: full access to CP10 and CP11 (DDI 0403E B3.2.20). */
const FLOAT_UNIT_ON = 0x00f0_0000;
/** What the chip starts from, before any program of ours (0039): nothing of it is kept here but that it can be read. */
const BOOT_ALIAS: Peripheral = {
  read: () => 0,
  write() {
    throw new SiliconError('BusFault', 'Bus fault: address 0 and what follows it is read-only.');
  },
  reset() {},
};
/** Reads as 0 and takes every write. */
const NOTHING: Peripheral = { read: () => 0, write() {}, reset() {} };
/** Seconds that a fault's handler may take: one that goes on for longer is where the program has ended. */
const LONGEST_FAULT_HANDLER = 1;
const FAULTS = [EXCEPTION.HardFault, EXCEPTION.MemManage, EXCEPTION.BusFault, EXCEPTION.UsageFault] as const;

/**
 * A real-time core with everything that is its own: memories, timers, interrupt block, DMA, watchdog, debug UART, clock. It stands still until it is
 * started. Time is in ticks of 1 / 197.6 MHz and virtual: the same program and inputs make the same run.
 */
export class RealTimeCore implements CoreHost {
  readonly core: Core;
  readonly debugUart: Uart;
  /** The core's time, for peripherals that it drives. */
  readonly timeline: Timeline;
  readonly #events: EventQueue;
  readonly #clock: CoreClock;
  /** Told when the core has come to what a debugger waits for, or has failed. */
  onStop: ((why: 'debug' | 'failed') => void) | null = null;
  readonly #parts: RealTimeCoreParts;
  readonly #tape: CoreTape | null;
  readonly #own: ReadonlyMap<number, Peripheral>;
  readonly #interruptControl: InterruptControl;
  readonly #dma: Dma;
  readonly #requests = new Set<number>();
  #resetCause: CoreResetCause = 'start';
  #isRunning = false;
  #failure: CoreFailure | null = null;
  /** The newest fault whose handler may still be running. */
  #fault: { readonly name: FaultName; readonly snapshot: CoreSnapshot; readonly time: number } | null = null;
  /** Whether somebody will look whether its handler has ended: one look at a time, however many faults there are. */
  #isWatchingFault = false;

  constructor(outside: RealTimeCoreParts) {
    const parts = outside.tape?.record(outside) ?? outside;
    this.#parts = parts;
    this.#tape = outside.tape ?? null;
    const { application, other } = parts.mailboxes;
    const clock = new ClockControl((source) => {
      this.#clock.select(source);
      // How many instructions are left of this run has changed.
      this.core.endRun();
    });
    const gpt = new Gpt({
      now: () => this.#clock.now(),
      cyclesPerSecond: TICKS_PER_SECOND,
      setLine: (line, isUp) => this.core.setLine(line, isUp),
    });
    this.debugUart = new Uart({
      interrupt: (isHigh) => this.core.setLine(LINE.debugUart, isHigh),
      request() {},
      timeline: () => this.timeline,
    });
    this.debugUart.attach({ receive: (byte) => parts.onDebugByte(byte) });
    const timeline = (): Timeline => this.timeline;
    this.#interruptControl = new InterruptControl({
      setLine: (line, isHigh) => this.core.setLine(line, isHigh),
      timeline,
    });
    const watchdog = new CoreWatchdog(
      {
        timeline,
        bite: (cause) => this.#fail(cause === 'watchdog' ? 'watchdog' : 'reset', cause),
        interrupt: (isHigh) => this.core.setLine(LINE.watchdog, isHigh),
      },
      parts.resetCause ?? 'start',
    );
    this.#dma = new Dma({
      timeline,
      read: (address, size) => this.#readForDma(address, size),
      write: (address, size, value) => this.#writeForDma(address, size, value),
      isRequested: (channel, address) => this.#requests.has(requestOf(channel, address)),
      interrupt: (isHigh) => this.core.setLine(LINE.dma, isHigh),
    });
    this.#own = new Map<number, Peripheral>([
      [BLOCK.bootAlias, BOOT_ALIAS],
      [BLOCK.interruptControl, this.#interruptControl],
      [BLOCK.clock, clock],
      [BLOCK.watchdog, watchdog],
      [BLOCK.gpt, gpt],
      [BLOCK.debugUart, this.debugUart],
      [BLOCK.infraBus, NOTHING],
      [BLOCK.dma, this.#dma],
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
    if (!this.#isRunning || this.#isHeld()) return Infinity;
    if (core.halt !== 'sleeping' || core.processor.canWake()) return this.time;
    const ticks = core.nextEvent();
    return ticks === Infinity ? Infinity : this.#clock.tickOf(ticks);
  }

  /** An interrupt line from outside goes up or down. */
  setLine(line: number, isUp: boolean): void {
    this.#note({ kind: 'line', line, isUp });
    this.core.setLine(line, isUp);
  }

  /** A pin that the core may see has this level now: EINT n is pin n. */
  pinChanged(pin: number, level: 0 | 1): void {
    this.#note({ kind: 'pin', pin, level });
    this.#interruptControl.pinChanged(pin, level);
  }

  /** A peripheral asks for transfers by the core's DMA, or does not any more. */
  setRequest(request: number, isHigh: boolean): void {
    this.#note({ kind: 'request', request, isHigh });
    if (!isHigh) this.#requests.delete(request);
    else {
      this.#requests.add(request);
      if (this.#isRunning) this.#dma.requested(request % SPI_REQUESTS);
    }
  }

  /** How the core came to be in reset, for the one that will be made in its place. */
  get resetCause(): CoreResetCause {
    return this.#resetCause;
  }

  /** Puts bytes into TCM, SYSRAM or XIP. Throws `RangeError`. */
  load(address: number, bytes: Uint8Array): void {
    this.#note({ kind: 'load', address, bytes: bytes.slice() });
    this.core.load(address, bytes);
  }

  /** Sets a register of the core that stands still: 0 to 12, 13 SP, 14 LR, 15 PC. */
  setRegister(index: number, value: number): void {
    this.#note({ kind: 'register', index, value });
    this.core.setRegister(index, value);
  }

  /**
   * Leaves reset, as the chip enters a program: SP and PC are the first words at `vectors`, the floating-point unit may
   * be used. Memories stay as they were loaded, and mailboxes as they
   * are: what the other end has posted waits.
   */
  start(vectors: number = TCM.base): void {
    this.#note({ kind: 'start', vectors });
    this.#halt();
    this.#failure = null;
    this.core.reset(vectors);
    this.core.processor.scs.cpacr = FLOAT_UNIT_ON;
    this.#isRunning = true;
  }

  end(): void {
    this.stop();
  }

  /** Into reset, from which `start` leads. */
  stop(): void {
    this.#note({ kind: 'stop' });
    this.#halt();
  }

  #note(input: CoreInput): void {
    this.#tape?.note(this.core.now, input);
  }

  #halt(): void {
    this.#isRunning = false;
    this.#fault = null;
    this.#isWatchingFault = false;
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
      if (this.runCycles(Math.max(1, this.#clock.cycleOf(end) - this.core.now)) === 0) break;
    }
    return this.time - start;
  }

  /** Lets cycles of the core's clock pass; gives how many did: less where something ends the run. */
  runCycles(cycles: number): number {
    if (!this.#isRunning || this.#isHeld()) return 0;
    const passed = this.core.run(cycles);
    this.#judge();
    if (this.#isHeld()) this.onStop?.('debug');
    return passed;
  }

  /** Whether a debugger has hold of the core, or it stands at a breakpoint for one. */
  #isHeld(): boolean {
    return this.core.halt === 'breakpoint' || this.core.halt === 'debug';
  }

  /** Bytes for the debug UART's receiver. */
  debugInput(bytes: Uint8Array): void {
    this.#note({ kind: 'debugInput', bytes: bytes.slice() });
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
    this.#fault = { name, snapshot: snapshotOf(this.core, from), time: this.time };
    if (!this.#isWatchingFault) this.#watchFault(LONGEST_FAULT_HANDLER);
  }

  #watchFault(seconds: number): void {
    this.#isWatchingFault = true;
    this.#events.after(seconds, () => {
      this.#isWatchingFault = false;
      if (this.#fault === null || !this.#isInFault()) return;
      const left = LONGEST_FAULT_HANDLER - (this.time - this.#fault.time) / TICKS_PER_SECOND;
      if (left > 1e-9) this.#watchFault(left);
      else this.#fail('fault');
    });
  }

  #isInFault(): boolean {
    return FAULTS.some((number) => this.core.nvic.isActive(number));
  }

  /** DMA reaches SYSRAM, XIP and what lies beyond the core; TCM and the core's registers are the core's alone. */
  #readForDma(address: number, size: 1 | 2 | 4): number {
    this.#checkForDma(address, size);
    const offset = offsetOf(address);
    return offset < 0 ? this.#parts.bus.read(address, size) : this.core.memory.get(offset, size);
  }

  #writeForDma(address: number, size: 1 | 2 | 4, value: number): void {
    this.#checkForDma(address, size);
    if (offsetOf(address) < 0) {
      // A register takes what is narrower than a word as a word.
      this.#parts.bus.write(address, address >>> PERIPHERALS_BITS === PERIPHERALS ? 4 : size, value);
      return;
    }
    if (offsetOf(address) >= XIP_OFFSET)
      throw new SiliconError('BusFault', 'Bus fault: XIP is read only.', { field: 'dma' });
    const bytes = Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
    this.core.load(address, bytes.subarray(0, size));
  }

  #checkForDma(address: number, size: number): void {
    const offset = offsetOf(address);
    const isOwn = this.#own.has(address >>> BLOCK_BITS) || (offset >= 0 && offset < SYSRAM_OFFSET);
    if (!isOwn && address % size === 0 && address + size <= 2 ** 32) return;
    throw new SiliconError('BusFault', `Bus fault: DMA does not reach 0x${address.toString(16)}.`, {
      field: 'dma',
    });
  }

  #fail(kind: CoreFailure['kind'], cause: CoreResetCause = 'start'): void {
    this.#resetCause = cause;
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
      note: kind === 'lockup' ? noteOf(core) : null,
      time: this.time,
    };
    core.endRun();
    this.#halt();
    this.#failure = failure;
    this.#parts.onFailure(failure);
    this.onStop?.('failed');
  }
}

/** The request that a channel waits for: I2C and SPI of a unit share channels, and the address says which is meant. */
function requestOf(channel: number, address: number): number {
  const isSpi = (address & 0xf00) === 0x300;
  return channel < SERIAL_CHANNELS && isSpi ? channel + SPI_REQUESTS : channel;
}
