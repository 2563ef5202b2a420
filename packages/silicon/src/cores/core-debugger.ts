import { SiliconError } from '../errors.ts';
import { TICKS_PER_SECOND } from './core-clock.ts';
import { CorePast } from './core-past.ts';
import type { CoreTape } from './core-tape.ts';
import type { Core } from './core.ts';
import type { Halt } from './exceptions.ts';
import type { RealTimeCore } from './real-time-core.ts';
import { offsetOf, WORD } from './state.ts';

/** Why a core stands still again. */
export type DebugStop =
  | { readonly kind: 'breakpoint' | 'step' | 'interrupt' }
  | { readonly kind: 'watch'; readonly watched: WatchKind; readonly address: number }
  /** Going back has come to where the tape begins, or going on to where the core failed. */
  | { readonly kind: 'begin' | 'failed' };

/** Which accesses a watchpoint is for. */
export type WatchKind = 'write' | 'read' | 'access';

interface Watchpoint {
  readonly kind: WatchKind;
  readonly address: number;
  readonly length: number;
}

/** BKPT #0. */
const BREAKPOINT = 0xbe00;
const MOST_POINTS = 1024;
/** Cycles that a step waits for a sleeping core to be woken. */
const LONGEST_STEP = TICKS_PER_SECOND;

/**
 * A debugger's hold on a real-time core: it stops and goes on, one instruction or until something is met, forwards and
 * back. Breakpoints are BKPT in the core's memories, so that the program runs as fast as without them. Going back makes
 * another core and tells it all that this one was told; in the past there is nothing to change.
 */
export class CoreDebugger {
  readonly #live: RealTimeCore;
  readonly #tape: CoreTape;
  /** The past that is being looked at. */
  #past: CorePast | null = null;
  /** What the core did when it was stopped. */
  #before: Halt = null;
  /** What lies below the breakpoints. */
  readonly #breakpoints = new Map<number, Uint8Array>();
  readonly #watchpoints: Watchpoint[] = [];
  #hit: Watchpoint | null = null;
  /** Where a watchpoint has stopped it: the time before an instruction, or, going back, how many were executed. */
  #stoppedBefore: number | null = null;
  #stoppedBehind: number | null = null;
  #onStop: ((stop: DebugStop) => void) | null = null;

  /** Takes hold of a core, which stands still from now on. `tape` is the one that it was made with. */
  constructor(live: RealTimeCore, tape: CoreTape) {
    this.#live = live;
    this.#tape = tape;
    live.core.processor.isDebugged = true;
    this.#hold();
    live.onStop = (why) => {
      this.#before = null;
      this.#tell(why === 'failed' ? { kind: 'failed' } : this.#met());
    };
  }

  /** Lets go: the core runs on as if nobody had looked. */
  release(): void {
    this.#past = null;
    for (const address of this.#breakpoints.keys()) this.clearBreakpoint(address);
    this.#watchpoints.length = 0;
    this.#watch(this.#live.core);
    this.#live.onStop = null;
    this.#live.core.processor.isDebugged = false;
    this.#letGo();
  }

  /** What is looked at: the core, or what it was. `read` is how to see its memories. */
  get core(): Core {
    return (this.#past?.realTime ?? this.#live).core;
  }

  /** Bytes of the core's memories, as the program has them. Throws `OutOfRange`. */
  read(address: number, length: number): Uint8Array {
    const bytes = inMemory(() => this.core.memory.read(address, length));
    for (const [at, below] of this.#breakpoints) {
      for (const [index, byte] of below.entries()) {
        const place = at + index - address;
        if (place >= 0 && place < length) bytes[place] = byte;
      }
    }
    return bytes;
  }

  /** Puts bytes into the core's memories. Throws `OutOfRange`, and `WrongState` in the past. */
  write(address: number, bytes: Uint8Array): void {
    this.#requirePresent();
    inMemory(() => this.#live.core.memory.read(address, bytes.length));
    const here = [...this.#breakpoints.keys()].filter(
      (at) => at + 2 > address && at < address + bytes.length,
    );
    for (const at of here) this.clearBreakpoint(at);
    this.#live.load(address, bytes);
    for (const at of here) this.setBreakpoint(at);
  }

  /** 0 to 12, 13 SP, 14 LR, 15 PC. Throws `WrongState` in the past. */
  setRegister(index: number, value: number): void {
    this.#requirePresent();
    // Another instruction than the one that it was stopped before.
    if (index === 15) this.#stoppedBefore = null;
    this.#live.setRegister(index, value);
  }

  /** Throws `OutOfRange` where no instruction can be, or where there are too many breakpoints. */
  setBreakpoint(address: number): void {
    if (this.#breakpoints.has(address)) return;
    if (address % 2 !== 0 || offsetOf(address) < 0)
      throw new SiliconError('OutOfRange', 'There is no instruction there.', { field: 'address' });
    this.#requireRoom();
    this.#breakpoints.set(address, this.#live.core.memory.read(address, 2));
    for (const core of this.#cores()) patch(core, address);
  }

  clearBreakpoint(address: number): void {
    const below = this.#breakpoints.get(address);
    if (below === undefined) return;
    for (const core of this.#cores()) core.load(address, below);
    this.#breakpoints.delete(address);
  }

  /** Throws `OutOfRange` where there are too many. */
  setWatchpoint(kind: WatchKind, address: number, length: number): void {
    this.#requireRoom();
    this.#watchpoints.push({ kind, address, length });
    for (const core of this.#cores()) this.#watch(core);
  }

  clearWatchpoint(kind: WatchKind, address: number, length: number): void {
    const index = this.#watchpoints.findIndex(
      (each) => each.kind === kind && each.address === address && each.length === length,
    );
    if (index >= 0) this.#watchpoints.splice(index, 1);
    for (const core of this.#cores()) this.#watch(core);
  }

  /** One instruction; a core that sleeps is given a second to be woken. */
  step(): DebugStop {
    const past = this.#past;
    this.#hit = null;
    const core = this.core;
    const next = core.executed + 1;
    this.#over(core, () => {
      if (past === null) this.#stepPresent(next);
      else past.runTo(next);
    });
    const isThere = core.executed === next && this.#hit === null;
    this.#arrive();
    if (this.#past === null && this.#live.state !== 'running') return { kind: 'failed' };
    return isThere || core.halt === 'sleeping' ? { kind: 'step' } : this.#met();
  }

  /** Goes on until something is met, which `onStop` is told; whoever lets time pass on the chip lets it pass. */
  resume(onStop: (stop: DebugStop) => void): void {
    const first = this.step();
    if (first.kind !== 'step') {
      onStop(first);
      return;
    }
    const past = this.#past;
    if (past !== null) {
      this.#hit = null;
      past.runTo(this.#live.core.executed);
      if (past.isHeld) {
        onStop(this.#met());
        return;
      }
      this.#arrive();
    }
    this.#hit = null;
    this.#onStop = onStop;
    this.#letGo();
    // It may have been at its end, or at a breakpoint, before anybody asked.
    if (this.#live.state !== 'running') this.#tell({ kind: 'failed' });
  }

  /** Stops a core that goes on. */
  interrupt(): void {
    if (this.#onStop !== null) this.#tell({ kind: 'interrupt' });
  }

  /** Back by one instruction. Throws `WrongState` where too much has happened since the core was loaded. */
  stepBack(): DebugStop {
    const { executed } = this.core;
    this.#stoppedBehind = null;
    this.#past = this.#pastAt(Math.max(0, executed - 1), false);
    return { kind: executed === 0 ? 'begin' : 'step' };
  }

  /**
   * Back to where a breakpoint or watchpoint was met last: before the one instruction, behind the other, which is what
   * going backwards comes to first. Throws as `stepBack`.
   */
  runBack(): DebugStop {
    const end = this.core.executed;
    const behind = this.#stoppedBehind;
    const past = this.#pastAt(0, true);
    let last: { readonly executed: number; readonly stop: DebugStop } | null = null;
    const { core } = past.realTime;
    while (core.executed < end) {
      this.#hit = null;
      const { executed } = core;
      if (past.isHeld) this.#over(core, () => past.runTo(executed + 1));
      if (this.#hit === null) past.runTo(end);
      if (!past.isHeld || core.executed >= end || (core.executed === executed && this.#hit === null)) break;
      const stop = this.#met();
      const at = stop.kind === 'watch' ? core.executed + 1 : core.executed;
      if (stop.kind !== 'watch' || at !== behind) last = { executed: at, stop };
    }
    this.#past = this.#pastAt(last?.executed ?? 0, false);
    this.#stoppedBehind = last?.stop.kind === 'watch' ? last.executed : null;
    return last?.stop ?? { kind: 'begin' };
  }

  #stepPresent(next: number): void {
    const live = this.#live;
    const { core } = live;
    this.#letGo();
    let waited = 0;
    while (core.executed < next && waited < LONGEST_STEP) {
      const idle = core.halt === 'sleeping' ? Math.min(core.nextEvent() - core.now, LONGEST_STEP) : 1;
      const passed = live.runCycles(Math.max(1, idle));
      if (passed === 0) break;
      waited += passed;
    }
    this.#hold();
  }

  /** Does something beginning with the instruction at PC, be a breakpoint there or not. */
  #over(core: Core, run: () => void): void {
    const at = core.register(15) >>> 0;
    const below = this.#breakpoints.get(at);
    if (core.halt === 'breakpoint' && below !== undefined) core.processor.halt = null;
    if (below !== undefined) core.load(at, below);
    run();
    if (below !== undefined) patch(core, at);
  }

  /** Another core, told what this one was told, up to so many instructions. */
  #pastAt(executed: number, hasPoints: boolean): CorePast {
    if (!this.#tape.isWhole)
      throw new SiliconError('WrongState', 'Too much has happened since the core was loaded to go back.', {
        field: 'tape',
      });
    this.#stoppedBefore = null;
    const past = new CorePast(this.#tape, (core) => {
      if (hasPoints) this.#setPoints(core);
    });
    past.runTo(executed);
    this.#setPoints(past.realTime.core);
    past.onLoad = (core) => this.#setPoints(core);
    return past;
  }

  #setPoints(core: Core): void {
    for (const address of this.#breakpoints.keys()) patch(core, address);
    this.#watch(core);
  }

  /** Leaves a past that has become the present. Throws `WrongState` where it has become something else. */
  #arrive(): void {
    const past = this.#past?.realTime.core;
    const { core } = this.#live;
    if (past === undefined || past.executed < core.executed) return;
    this.#past = null;
    const isSame = past.state.subarray(0, WORD.it).every((word, index) => word === core.state[index]);
    if (!isSame)
      throw new SiliconError('WrongState', 'What was played back is not what happened.', { field: 'core' });
  }

  #cores(): readonly Core[] {
    const past = this.#past?.realTime.core;
    return past === undefined ? [this.#live.core] : [this.#live.core, past];
  }

  #watch(core: Core): void {
    const { processor } = core;
    processor.watch =
      this.#watchpoints.length === 0
        ? null
        : (address, size, way) => {
            const hit = this.#watchpoints.find(
              (each) =>
                (each.kind === 'access' || each.kind === way) &&
                address < each.address + each.length &&
                each.address < address + size,
            );
            if (hit === undefined || this.#stoppedBefore === core.now) return false;
            this.#hit = hit;
            this.#stoppedBefore = core.now;
            return true;
          };
  }

  #met(): DebugStop {
    const hit = this.#hit;
    return hit === null ? { kind: 'breakpoint' } : { kind: 'watch', watched: hit.kind, address: hit.address };
  }

  #tell(stop: DebugStop): void {
    this.#hold();
    const onStop = this.#onStop;
    this.#onStop = null;
    onStop?.(stop);
  }

  #hold(): void {
    const { processor } = this.#live.core;
    if (processor.halt === 'debug') return;
    this.#before = processor.halt === 'breakpoint' ? null : processor.halt;
    processor.halt = 'debug';
    processor.stop();
  }

  #letGo(): void {
    this.#live.core.processor.halt = this.#before;
    this.#before = null;
  }

  #requirePresent(): void {
    if (this.#past !== null)
      throw new SiliconError('WrongState', 'What has been cannot be changed.', { field: 'core' });
  }

  #requireRoom(): void {
    if (this.#breakpoints.size + this.#watchpoints.length >= MOST_POINTS)
      throw new SiliconError('OutOfRange', `At most ${MOST_POINTS} breakpoints and watchpoints.`);
  }
}

function patch(core: Core, address: number): void {
  core.load(address, Uint8Array.of(BREAKPOINT & 0xff, BREAKPOINT >> 8));
}

function inMemory<T>(access: () => T): T {
  try {
    return access();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SiliconError('OutOfRange', error.message, { field: 'address' });
  }
}
