import type { CoreAccess } from './access.ts';
import { CoreFault, type FaultName } from './fault.ts';
import { FPCCR, type FloatContext } from './float-context.ts';
import { EXCEPTION, type Nvic } from './nvic.ts';
import { CONTROL, type ProgramStatus } from './program-status.ts';
import { WORD } from './state.ts';
import { CCR, type SystemControl } from './system-control.ts';

/** What exceptions need of the core around them. */
export interface ExceptionHost {
  halt: Halt;
  isEventSet: boolean;
  readonly canWake: () => boolean;
  readonly sleep: () => void;
  readonly forgetExclusive: () => void;
  /** Recomputes what generated code looks at. */
  readonly refresh: () => void;
  /** Leaves generated code behind this instruction. */
  readonly stop: () => void;
  /** Stores a word of a frame. Throws `CoreFault`. */
  readonly stack: (address: number, value: number) => void;
}

/** Why a core does not execute instructions; `debug`: a debugger has hold of it. */
export type Halt = 'sleeping' | 'locked' | 'breakpoint' | 'debug' | null;

interface ExceptionParts {
  readonly words: Int32Array;
  readonly access: CoreAccess;
  readonly float: FloatContext;
  readonly status: ProgramStatus;
  readonly nvic: Nvic;
  readonly scs: SystemControl;
}

/** Exceptions: how they come to wait, entry, return, and what becomes of faults on the way (B1.5). */
export class Exceptions {
  readonly #host: ExceptionHost;
  readonly #words: Int32Array;
  readonly #access: CoreAccess;
  readonly #float: FloatContext;
  readonly #status: ProgramStatus;
  readonly #nvic: Nvic;
  readonly #scs: SystemControl;

  constructor(host: ExceptionHost, parts: ExceptionParts) {
    this.#host = host;
    this.#words = parts.words;
    this.#access = parts.access;
    this.#float = parts.float;
    this.#status = parts.status;
    this.#nvic = parts.nvic;
    this.#scs = parts.scs;
  }

  /** Makes an exception wait; one that cannot go at once because of priority becomes a HardFault. */
  raise(number: number): void {
    const execution = this.#nvic.executionPriority();
    if (
      number !== EXCEPTION.HardFault &&
      (!this.#nvic.isEnabled(number) || this.#nvic.priorityOf(number) >= execution)
    ) {
      this.#scs.hfsr |= 1 << 30;
      this.#hardFault(execution);
    } else if (number === EXCEPTION.HardFault) this.#hardFault(execution);
    else this.#nvic.setPending(number, true);
    this.#host.stop();
  }

  #hardFault(execution: number): void {
    if (execution <= -1) this.#host.halt = 'locked';
    else this.#nvic.setPending(EXCEPTION.HardFault, true);
    this.#host.stop();
  }

  /** Records a fault and makes its exception wait. `from` is the instruction that failed. */
  takeFault({ name, address }: CoreFault, from: number): void {
    this.#words[15] = from;
    if (name === 'BKPT') {
      this.#scs.hfsr |= 1 << 31;
      this.#scs.dfsr |= 2;
      this.#hardFault(this.#nvic.executionPriority());
      return;
    }
    this.raise(this.#scs.recordFault(name, address));
  }

  /** Takes the exception that interrupts what runs, if one does. */
  takePending(): void {
    const number = this.#nvic.preempting();
    if (number === 0) return;
    if (this.#host.halt === 'sleeping') this.#host.halt = null;
    const isFloat = (this.#status.control & CONTROL.FPCA) !== 0;
    const fromThread = this.#status.ipsr === 0;
    const fromProcess = this.#status.isOnProcessStack;
    this.#push(isFloat);
    const excReturn =
      (fromThread ? (fromProcess ? 0xffff_fffd : 0xffff_fff9) : 0xffff_fff1) & (isFloat ? ~0x10 : -1);
    // What stacking itself has raised may go first.
    this.#enter(this.#nvic.preempting() || number, excReturn);
  }

  #enter(number: number, excReturn: number): void {
    this.#status.switchTo(number, this.#status.control & ~(CONTROL.SPSEL | CONTROL.FPCA));
    this.#nvic.setPending(number, false);
    this.#nvic.setActive(number, true);
    this.#words[WORD.it] = 0;
    this.#words[14] = excReturn;
    this.#host.forgetExclusive();
    this.#host.isEventSet = true;
    let vector = 0;
    try {
      vector = this.#access.load((this.#scs.vtor + 4 * number) | 0, 4, true);
    } catch (error) {
      if (!(error instanceof CoreFault)) throw error;
      this.#scs.hfsr |= 2;
      this.#hardFault(this.#nvic.executionPriority());
    }
    this.#words[15] = vector & ~1;
    this.#words[WORD.thumb] = vector & 1;
  }

  #push(isFloat: boolean): void {
    const size = isFloat ? 0x68 : 0x20;
    const mustAlign = isFloat || (this.#scs.ccr & CCR.STKALIGN) !== 0;
    const sp = this.#words[13] ?? 0;
    const isShifted = mustAlign && (sp & 4) !== 0;
    const frame = ((sp - size) & (mustAlign ? ~7 : ~3)) | 0;
    const saved = [0, 1, 2, 3, 12, 14, 15].map((index) => this.#words[index] ?? 0);
    const xpsr = (this.#status.xpsr & ~0x200) | (isShifted ? 0x200 : 0);
    this.#words[13] = frame;
    const isLazy = isFloat && (this.#scs.fpccr & FPCCR.LSPEN) !== 0;
    if (isLazy) this.#float.defer((frame + 0x20) | 0);
    try {
      for (const [index, value] of [...saved, xpsr].entries())
        this.#host.stack((frame + 4 * index) | 0, value);
      if (isFloat && !isLazy) this.#float.store((frame + 0x20) | 0);
    } catch (error) {
      this.#takeDerived(error, { memory: 'MSTKERR', bus: 'STKERR' });
    }
  }

  /** A fault while stacking or unstacking: it waits beside the exception that is on its way. */
  #takeDerived(error: unknown, names: { readonly memory: FaultName; readonly bus: FaultName }): void {
    if (!(error instanceof CoreFault)) throw error;
    const number = this.#scs.recordFault(error.name === 'PRECISERR' ? names.bus : names.memory, null);
    this.raise(number);
  }

  /** ExceptionReturn (B1.5.8). */
  return(excReturn: number): void {
    const returning = this.#status.ipsr;
    const kind = excReturn & 0xf;
    const nested = this.#nvic.activeCount;
    const isThread = kind === 9 || kind === 13;
    const isNonBase = (this.#scs.ccr & CCR.NONBASETHRDENA) !== 0;
    const isValid =
      ((excReturn | 0x1f) === -1 || (excReturn | 0x1f) >>> 0 === 0xffff_ffff) &&
      this.#nvic.isActive(returning) &&
      (kind === 1 ? nested > 1 : isThread && (nested === 1 || isNonBase));
    this.#nvic.setActive(returning, false);
    if (this.#nvic.faultmask !== 0 && returning !== EXCEPTION.NMI) this.#nvic.faultmask = 0;
    if (!isValid) {
      // The exception is over, but what it would return to is not reached: the fault is taken on this stack.
      this.#words[14] = excReturn | 0xf000_0000;
      this.#scs.recordFault('INVPC', null);
      this.#chainInto(EXCEPTION.UsageFault, excReturn);
      return;
    }
    // Tail chaining: what waits and would interrupt the code returned to runs on the frame that lies there.
    const next = this.#nvic.preempting();
    if (next !== 0) {
      this.#enter(next, excReturn);
      this.#host.stop();
      return;
    }
    this.#pop(excReturn, isThread);
    if (isThread && this.#nvic.activeCount === 0 && this.#scs.isSleepOnExit && !this.#host.canWake())
      this.#host.sleep();
    this.#host.stop();
  }

  #chainInto(number: number, excReturn: number): void {
    const execution = this.#nvic.executionPriority();
    const isPossible = this.#nvic.isEnabled(number) && this.#nvic.priorityOf(number) < execution;
    if (!isPossible && execution <= -1) {
      this.#host.halt = 'locked';
      this.#host.stop();
      return;
    }
    if (!isPossible) this.#scs.hfsr |= 1 << 30;
    this.#enter(isPossible ? number : EXCEPTION.HardFault, excReturn);
    this.#host.stop();
  }

  #pop(excReturn: number, isThread: boolean): void {
    const toProcess = (excReturn & 0xf) === 13;
    const isFloat = (excReturn & 0x10) === 0;
    const returning = this.#status.ipsr;
    const frame = toProcess ? this.#status.psp : this.#status.msp;
    const isPrivileged = !isThread || (this.#status.control & CONTROL.NPRIV) === 0;
    const words: number[] = [];
    try {
      for (let index = 0; index < 8; index++)
        words.push(this.#access.load((frame + 4 * index) | 0, 4, isPrivileged));
      if (isFloat) this.#float.unstack((frame + 0x20) | 0, isPrivileged);
    } catch (error) {
      if (!(error instanceof CoreFault)) throw error;
      this.#scs.recordFault(error.name === 'PRECISERR' ? 'UNSTKERR' : 'MUNSTKERR', null);
      this.#chainInto(error.name === 'PRECISERR' ? EXCEPTION.BusFault : EXCEPTION.MemManage, excReturn);
      return;
    }
    const xpsr = words[7] ?? 0;
    const ipsr = xpsr & 0x1ff;
    if (isThread ? ipsr !== 0 : ipsr === 0) {
      this.#scs.recordFault('INVPC', null);
      this.#chainInto(EXCEPTION.UsageFault, excReturn);
      return;
    }
    const control =
      (this.#status.control & ~(CONTROL.SPSEL | CONTROL.FPCA)) |
      (toProcess ? CONTROL.SPSEL : 0) |
      (isFloat ? CONTROL.FPCA : 0);
    const size = isFloat ? 0x68 : 0x20;
    const mustAlign = isFloat || (this.#scs.ccr & CCR.STKALIGN) !== 0;
    const sp = (frame + size) | (mustAlign && xpsr & 0x200 ? 4 : 0) | 0;
    this.#status.switchTo(returning === 0 ? 0 : ipsr, control);
    this.#words[13] = sp;
    for (const [index, register] of [0, 1, 2, 3, 12, 14].entries()) this.#words[register] = words[index] ?? 0;
    this.#words[15] = (words[6] ?? 0) & ~1;
    this.#status.setApsr(xpsr, true, true);
    this.#words[WORD.thumb] = (xpsr >>> 24) & 1;
    this.#words[WORD.it] = ((xpsr >>> 25) & 3) | ((xpsr >>> 8) & 0xfc);
    this.#host.forgetExclusive();
    this.#host.isEventSet = true;
    this.#host.refresh();
  }
}
