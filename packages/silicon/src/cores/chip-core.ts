import {
  CORE_STATES,
  INTERRUPT_LINES,
  MAILBOX_REGISTERS,
  REAL_TIME_MASTERS,
  gpioPlace,
} from '@sevenfold/formats';
import type { BusRegion, CoreState, RealTimeMaster } from '@sevenfold/formats';
import type { Bus, Peripheral } from '../bus.ts';
import { SiliconError } from '../errors.ts';
import type { CoreResetCause } from '../peripherals/core-watchdog.ts';
import type { Pins } from '../peripherals/gpio.ts';
import { EINT_COUNT } from '../peripherals/interrupt-control.ts';
import { LINE_REGIONS, REQUEST_REGIONS, type InterruptLines } from '../peripherals/interrupts.ts';
import {
  mailboxPair,
  type MailboxCause,
  type MailboxEnd,
  type MailboxWiring,
} from '../peripherals/mailbox.ts';
import { chipBus } from './chip-bus.ts';
import type { CoreOptions } from './core.ts';
import type { CoreFailure } from './core-failure.ts';
import type { CoreTape } from './core-tape.ts';
import { TICKS_PER_SECOND } from './core-clock.ts';
import type { CoreHost, CoreHostParts, MakeCoreHost, SharedWindow } from './core-host.ts';
import type * as CoresHere from './cores-here.ts';
import type { RealTimeCore } from './real-time-core.ts';

/** Interrupt lines of a core's ends of its mailboxes (real-time-cores.md §1.2). */
const APPLICATION_LINES = { read: 6, notFull: 7, written: 8, notEmpty: 9, fifo: 10, software: 11 } as const;
const OTHER_LINES = { read: 12, notFull: 13, written: 14, notEmpty: 15, fifo: 16, software: 17 } as const;
/** Ticks that a core runs before the other one has its turn: 100 µs. */
const SLICE = TICKS_PER_SECOND / 10_000;

let here: typeof CoresHere | null = null;

/** Loads what runs cores in this thread; without it a program can only be loaded where cores have their own. */
export async function prepareCoresHere(): Promise<void> {
  here ??= await import('./cores-here.ts');
}

function coresHere(): typeof CoresHere {
  if (here === null) throw new SiliconError('WrongState', 'What runs cores in this thread is not loaded.');
  return here;
}

/** What a core of the chip needs of the chip. */
export interface ChipCoreParts {
  readonly bus: () => Bus;
  readonly interrupts: InterruptLines;
  readonly requests: InterruptLines;
  readonly pins: Pins;
  /** The core's end of the mailbox with the other core. */
  readonly other: MailboxEnd;
  /** Puts a region's peripheral to rest. */
  readonly resetRegion: (region: BusRegion) => void;
  /** Ms of the board's crystal; 0 where there is none. */
  readonly now: () => number;
  /** Memory that the core shares with the application core. */
  readonly window: SharedWindow;
  /** What makes cores that do not run in this thread; null: they do. */
  readonly makeHost: () => MakeCoreHost | null;
  /** Makes a change for the core from outside, at the moment that it is now. */
  readonly change: (change: () => void) => void;
  readonly engine?: CoreOptions['engine'];
}

/**
 * A real-time core as a part of its chip: behind the firewall, with the application core at the other end of its
 * mailbox. Loading, starting and stopping are the Security Monitor's; what becomes of it is told by an interrupt.
 */
export class ChipCore {
  readonly index: number;
  readonly master: RealTimeMaster;
  /** The registers of the application core: its end of the mailbox, and what the core does. */
  readonly application: Peripheral;
  readonly #parts: ChipCoreParts;
  readonly #ends: readonly [application: MailboxEnd, core: MailboxEnd];
  readonly #debugListeners = new Set<(byte: number) => void>();
  readonly #up = new Set<MailboxCause>();
  /** Made when something is loaded: a chip whose cores are not used has none. */
  #host: CoreHost | null = null;
  /** The same, where it is in this thread. */
  #realTime: RealTimeCore | null = null;
  #resetCause: CoreResetCause = 'start';
  #hasEvent = false;
  /** Whether the next program runs in the chip's thread in any case: there its time is known to the instruction. */
  mustRunHere = false;
  /** Whether a debugger may look at what is loaded next, in the chip's thread. */
  #isDebuggable = false;
  /** What the core is told, for a debugger; null where none may look. */
  #tape: CoreTape | null = null;
  /** Ends the session that a debugger has. */
  #endSession: (() => void) | null = null;
  /** Ms of the crystal at which the core's time was 0. */
  #startedAt = 0;

  constructor(index: number, parts: ChipCoreParts) {
    this.index = index;
    this.master = REAL_TIME_MASTERS[index] ?? 'realtime0';
    this.#parts = parts;
    this.#ends = mailboxPair(
      {
        resetsBoth: true,
        interrupt: (cause, isHigh) => {
          if (isHigh) this.#up.add(cause);
          else this.#up.delete(cause);
          this.#show();
        },
      },
      // No guest resets the application core's end.
      { resetsBoth: false, interrupt: (cause, isHigh) => this.setLine(APPLICATION_LINES[cause], isHigh) },
      true,
    );
    this.application = {
      read: (offset) => this.#read(offset),
      write: (offset, value) => this.#write(offset, value),
      reset: () => {
        this.clear();
        this.#resetCause = 'start';
      },
    };
    parts.interrupts.onChange((line, isHigh) => {
      // A line that falls always may: the core may have heard of it before its region was taken away.
      if (!isHigh || this.#hears(LINE_REGIONS.get(line))) this.setLine(line, isHigh);
    });
    parts.requests.onChange((request, isHigh) => {
      const host = this.#host;
      if (host?.state !== 'running') return;
      if (!isHigh) host.setRequest(request, false);
      else if (this.#hears(REQUEST_REGIONS.get(request))) parts.change(() => host.setRequest(request, true));
    });
    parts.pins.onChange((pin, level) => {
      if (this.state === 'running' && this.#hears(regionOfPin(pin)))
        parts.change(() => this.#host?.pinChanged(pin, level));
    });
  }

  get state(): CoreState {
    return this.#host?.state ?? 'off';
  }

  get failure(): CoreFailure | null {
    return this.#host?.failure ?? null;
  }

  /**
   * The core itself, with its registers and memories; null until something was loaded since `clear`, and where it
   * runs in a thread of its own.
   */
  get realTime(): RealTimeCore | null {
    return this.#realTime;
  }

  /**
   * Ms of the board's crystal at which the core is: to the instruction, while the core runs in this thread. Null: it does
   * not.
   */
  get boardTime(): number | null {
    const core = this.realTime;
    return core?.state === 'running' ? this.#startedAt + core.timeline.now() * 1000 : null;
  }

  /** Told of every byte that leaves the debug UART; gives the function that ends it. */
  onDebugByte(listener: (byte: number) => void): () => void {
    this.#debugListeners.add(listener);
    return () => this.#debugListeners.delete(listener);
  }

  /** An interrupt line of the core goes up or down. */
  setLine(line: number, isHigh: boolean): void {
    const core = this.#host;
    if (core?.state === 'running') this.#parts.change(() => core.setLine(line, isHigh));
    else core?.setLine(line, isHigh);
  }

  /** Bytes for the debug UART's receiver. */
  debugInput(bytes: Uint8Array): void {
    if (this.state === 'running') this.#parts.change(() => this.#host?.debugInput(bytes));
  }

  /**
   * Ends what runs and forgets it: memories are zero, mailboxes empty, peripherals at rest. `isDebuggable`: whether
   * `debug` is open for what is loaded next.
   */
  clear(isDebuggable = false): void {
    this.#endSession?.();
    this.stop();
    this.#resetCause = this.#host?.resetCause ?? 'start';
    this.#host?.end();
    this.#host = null;
    this.#realTime = null;
    this.#tape = null;
    this.#isDebuggable = isDebuggable;
  }

  /**
   * The debug port: GDB's remote protocol, for one session at a time. The core stands still until the debugger lets it
   * go on. `onEnd` is told when the session is over, by the debugger or because what it looks at is gone. Throws
   * `DebugLocked` where nothing was loaded that may be looked at, `WrongState` while another session lasts.
   */
  debug(
    send: (bytes: Uint8Array) => void,
    onEnd: () => void,
  ): { receive(bytes: Uint8Array): void; end(): void } {
    const { realTime } = this;
    if (this.#tape === null || realTime === null)
      throw new SiliconError('DebugLocked', 'The debug port of this core is closed.', {
        rule: 'the capability appDevelopment, and an app that was started since',
      });
    if (this.#endSession !== null)
      throw new SiliconError('WrongState', 'Another debugger has hold of this core.');
    const { CoreDebugger, GdbSession } = coresHere();
    const target = new CoreDebugger(realTime, this.#tape);
    const end = (): void => {
      if (this.#endSession !== end) return;
      this.#endSession = null;
      this.#parts.change(() => target.release());
      onEnd();
    };
    this.#endSession = end;
    const session = new GdbSession({ target, send, change: this.#parts.change, onEnd: end });
    return { receive: (bytes) => session.receive(bytes), end };
  }

  /** Has at hand what will run the next program; to be awaited before the first `load`. */
  async prepare(isDebuggable: boolean): Promise<void> {
    if (this.#mustRunHere(isDebuggable)) await prepareCoresHere();
  }

  /** Puts bytes into the core's memories. Throws `RangeError`, and `WrongState` where `prepare` was not awaited. */
  load(address: number, bytes: Uint8Array): void {
    this.#made().load(address, bytes);
  }

  /** Starts what was loaded. What the application core has posted already waits for it. */
  start(): void {
    const core = this.#made();
    core.stop();
    for (const [line, region] of LINE_REGIONS)
      core.setLine(line, this.#parts.interrupts.isHigh(line) && this.#hears(region));
    for (let pin = 0; pin < EINT_COUNT; pin++)
      if (this.#hears(regionOfPin(pin))) core.pinChanged(pin, this.#parts.pins.level(pin));
    for (const [request, region] of REQUEST_REGIONS)
      core.setRequest(request, this.#parts.requests.isHigh(request) && this.#hears(region));
    for (const end of [this.#ends[1], this.#parts.other]) end.announce();
    this.#hasEvent = false;
    this.#show();
    this.#startedAt = this.#parts.now() - (this.realTime?.timeline.now() ?? 0) * 1000;
    this.#parts.change(() => core.start());
  }

  /** Ends what runs; memories stay to be looked at. */
  stop(): void {
    this.#host?.stop();
    for (const end of this.#ends) end.reset();
    this.#parts.other.reset();
    for (const region of this.#parts.bus().firewall.regionsOf(this.master)) this.#parts.resetRegion(region);
    this.#hasEvent = false;
    this.#show();
  }

  /** Whether what happens in a region is any of this core's business. */
  #hears(region: BusRegion | undefined): boolean {
    return region !== undefined && this.#parts.bus().firewall.allows(this.master, 'read', region);
  }

  #made(): CoreHost {
    const { engine } = this.#parts;
    if (this.#host !== null) return this.#host;
    const parts: CoreHostParts = {
      ...(engine === undefined ? {} : { engine }),
      bus: chipBus(this.#parts.bus(), this.master),
      mailboxes: { application: this.#ends[1], other: this.#parts.other },
      resetCause: this.#resetCause,
      onDebugByte: (byte) => {
        for (const listener of this.#debugListeners) listener(byte);
      },
      onFailure: () => {
        this.#hasEvent = true;
        this.#show();
      },
    };
    const makeHost = this.#mustRunHere(this.#isDebuggable) ? null : this.#parts.makeHost();
    this.#host = makeHost?.(parts, this.#parts.window) ?? this.#makeHere(parts);
    return this.#host;
  }

  #mustRunHere(isDebuggable: boolean): boolean {
    return this.mustRunHere || isDebuggable || this.#parts.makeHost() === null;
  }

  #makeHere(parts: CoreHostParts): RealTimeCore {
    const { CoreTape, RealTimeCore } = coresHere();
    this.#tape = this.#isDebuggable ? new CoreTape() : null;
    this.#realTime = new RealTimeCore(this.#tape === null ? parts : { ...parts, tape: this.#tape });
    return this.#realTime;
  }

  #read(offset: number): number {
    if (offset === MAILBOX_REGISTERS.CORE_STATE) return CORE_STATES.indexOf(this.state);
    if (offset === MAILBOX_REGISTERS.CORE_EVENT) return this.#hasEvent ? 1 : 0;
    return this.#ends[0].read(offset);
  }

  #write(offset: number, value: number): void {
    if (offset !== MAILBOX_REGISTERS.CORE_EVENT) this.#ends[0].write(offset, value);
    else if ((value & 1) !== 0) {
      this.#hasEvent = false;
      this.#show();
    }
  }

  #show(): void {
    const isUp = this.#hasEvent || this.#up.has('fifo') || this.#up.has('software');
    this.#parts.interrupts.set(INTERRUPT_LINES.mailbox + this.index, isUp);
  }
}

const regionOfPin = (pin: number): BusRegion | undefined => gpioPlace(pin)?.block.region;

/** The ends of the mailbox between two real-time cores, each wired to the core that `coreOf` gives. */
export function coreMailbox(
  coreOf: (index: number) => ChipCore | undefined,
): readonly [MailboxEnd, MailboxEnd] {
  const wiring = (index: number): MailboxWiring => ({
    resetsBoth: true,
    interrupt: (cause, isHigh) => coreOf(index)?.setLine(OTHER_LINES[cause], isHigh),
  });
  return mailboxPair(wiring(0), wiring(1), false);
}

/**
 * Lets ticks pass on several cores in this thread, in turns of 100 µs each. Where all of them sleep,
 * turns are skipped until one of them wakes.
 */
export function runInTurns(cores: readonly RealTimeCore[], ticks: number): void {
  const ends = cores.map((core) => core.time + ticks);
  for (let left = ticks; left > 0;) {
    const idle = Math.min(...cores.map((core) => core.nextEvent() - core.time));
    const slice = Math.min(left, Math.max(SLICE, Math.floor(idle / SLICE) * SLICE));
    left -= slice;
    for (const [index, core] of cores.entries()) {
      const due = (ends[index] ?? 0) - left - core.time;
      if (due > 0) core.run(due);
    }
  }
}
