import type { CoreInput, CoreTape, TapePlayer } from './core-tape.ts';
import type { Core } from './core.ts';
import { RealTimeCore } from './real-time-core.ts';

/** A core that is told again what another one was told, and so becomes again what that one was. */
export class CorePast {
  readonly realTime: RealTimeCore;
  /** Told when something has been loaded: what a debugger has put into the memories may be gone. */
  onLoad: (core: Core) => void;
  readonly #player: TapePlayer;

  constructor(tape: CoreTape, onLoad: (core: Core) => void) {
    this.onLoad = onLoad;
    this.#player = tape.play((input) => this.#take(input));
    this.realTime = new RealTimeCore(this.#player.parts);
    this.realTime.core.processor.isDebugged = true;
  }

  /** Whether it stands at a breakpoint or watchpoint. */
  get isHeld(): boolean {
    const { halt } = this.realTime.core;
    return halt === 'breakpoint' || halt === 'debug';
  }

  /** Runs until so many instructions were executed, or it is held, or the tape ends. */
  runTo(executed: number): void {
    const { realTime } = this;
    const { core } = realTime;
    if (core.halt === 'debug') core.processor.halt = null;
    for (;;) {
      this.#player.giveUntil(core.now);
      if (core.executed >= executed || this.isHeld || realTime.state !== 'running') return;
      const isAsleep = core.halt === 'sleeping' && !core.processor.canWake();
      const want = isAsleep ? core.nextEvent() - core.now : executed - core.executed;
      const cycles = Math.min(want, this.#player.nextAt() - core.now);
      if (cycles === Infinity || realTime.runCycles(Math.max(1, cycles)) === 0) return;
    }
  }

  #take(input: CoreInput): void {
    const { realTime } = this;
    switch (input.kind) {
      case 'line':
        realTime.setLine(input.line, input.isUp);
        break;
      case 'pin':
        realTime.pinChanged(input.pin, input.level);
        break;
      case 'request':
        realTime.setRequest(input.request, input.isHigh);
        break;
      case 'debugInput':
        realTime.debugInput(input.bytes);
        break;
      case 'load':
        realTime.load(input.address, input.bytes);
        this.onLoad(realTime.core);
        break;
      case 'register':
        realTime.setRegister(input.index, input.value);
        // A debugger may have led it past a breakpoint of the program's own.
        if (realTime.core.halt === 'breakpoint') realTime.core.processor.halt = null;
        break;
      case 'start':
        realTime.start(input.vectors);
        break;
      case 'stop':
        realTime.stop();
    }
  }
}
