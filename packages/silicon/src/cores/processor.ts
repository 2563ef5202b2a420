import { CoreAccess, type AccessParts } from './access.ts';
import { CoreFault, WatchedAccess, type FaultName } from './fault.ts';
import { FloatContext, FPCCR } from './float-context.ts';
import { mulHighS, mulHighU, type HandlerContext, type Op } from './handlers.ts';
import type { AccessSize, GuardFault, SystemOp } from './ir.ts';
import type { CoreMemory, SlowAccess } from './memory.ts';
import type { Mpu } from './mpu.ts';
import { EXCEPTION, type Nvic } from './nvic.ts';
import { CONTROL, ProgramStatus } from './program-status.ts';
import { offsetOf, TCM, WORD } from './state.ts';
import type { SystemControl } from './system-control.ts';

/** CCR bits (B3.2.8). */
const CCR = { NONBASETHRDENA: 1, UNALIGN_TRP: 8, DIV_0_TRP: 16, STKALIGN: 0x200 } as const;

/** Why a core does not execute instructions; `debug`: a debugger has hold of it. */
export type Halt = 'sleeping' | 'locked' | 'breakpoint' | 'debug' | null;

/** Hears of accesses before they are done: where, how many bytes, and which way. Answers whether to stop there. */
export type AccessWatch = (address: number, size: AccessSize, kind: 'read' | 'write') => boolean;

/**
 * The core around its instructions: modes, stacks, exception entry and return, faults, special registers, and every
 * access that is not a plain one to its own memories (Armv7-M ARM part B).
 */
export class Processor implements HandlerContext, SlowAccess {
  readonly #memory: CoreMemory;
  readonly #words: Int32Array;
  readonly #access: CoreAccess;
  readonly #mpu: Mpu;
  readonly nvic: Nvic;
  readonly scs: SystemControl;
  readonly mulHighS = mulHighS;
  readonly mulHighU = mulHighU;
  readonly status: ProgramStatus;
  readonly #float: FloatContext;
  halt: Halt = null;
  isEventSet = false;
  #isWaitingForEvent = false;
  #exclusive: { readonly address: number; readonly size: number } | null = null;
  /** Where BKPT halts instead of faulting: a debugger is attached. */
  isDebugged = false;
  #watch: AccessWatch | null = null;

  constructor(parts: AccessParts) {
    this.#memory = parts.memory;
    this.#words = parts.memory.words;
    this.#mpu = parts.mpu;
    this.nvic = parts.nvic;
    this.scs = parts.scs;
    this.status = new ProgramStatus(parts.memory, parts.nvic, () => this.refresh());
    this.#access = new CoreAccess(parts, () => {
      this.refresh();
      this.stop();
    });
    const { nvic, scs, memory } = parts;
    this.#float = new FloatContext({
      words: memory.words,
      access: this.#access,
      status: this.status,
      nvic,
      scs,
    });
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }

  /** Told of every load and store; while there is one, only the interpreter runs. */
  set watch(watch: AccessWatch | null) {
    this.#watch = watch;
    this.refresh();
    this.stop();
  }

  /** Leave translated code and the block after this instruction: something may have to happen first. */
  stop(): void {
    this.#words[WORD.stop] = 1;
  }

  /** Cold reset (B1.5.5): SP and PC from the vector table at `vectors`. */
  reset(vectors: number): void {
    this.#words.fill(0, 0, 64);
    this.nvic.reset();
    this.#mpu.reset();
    this.scs.reset(vectors);
    this.status.reset();
    this.halt = null;
    this.isEventSet = false;
    this.#exclusive = null;
    this.refresh();
    const read = (address: number): number => {
      const offset = offsetOf(address);
      return offset < 0 ? 0 : this.#memory.get(offset, 4);
    };
    this.#words[13] = read(vectors) & ~3;
    this.#words[14] = -1;
    const entry = read(vectors + 4);
    this.#words[15] = entry & ~1;
    this.#words[WORD.thumb] = entry & 1;
  }

  /** Recomputes what generated code looks at from the registers that it derives from. */
  refresh(): void {
    const isPlain = !this.#mpu.isEnabled && (this.scs.ccr & CCR.UNALIGN_TRP) === 0 && this.#watch === null;
    this.#words[WORD.window] = isPlain ? TCM.size : 0;
    const access = (this.scs.cpacr >>> 20) & 3;
    const isOpen = access === 3 || (access === 1 && this.status.isPrivileged);
    const isOurs = (this.scs.fpccr & FPCCR.LSPACT) === 0;
    const isMarked = (this.status.control & CONTROL.FPCA) !== 0 || (this.scs.fpccr & FPCCR.ASPEN) === 0;
    this.#words[WORD.floatGate] = isOpen && isOurs && isMarked ? 0 : 1;
  }

  /** Whether translated code may run: it knows no MPU and no alignment traps. */
  get isPlain(): boolean {
    return this.#word(WORD.window) !== 0;
  }

  readonly load = (address: number, size: AccessSize): number =>
    this.#load(address, size, this.status.isPrivileged);

  readonly store = (address: number, size: AccessSize, value: number): void =>
    this.#store(address, { size, value, isPrivileged: this.status.isPrivileged });

  loadUnprivileged(address: number, size: AccessSize): number {
    return this.#load(address, size, false);
  }

  storeUnprivileged(address: number, size: AccessSize, value: number): void {
    this.#store(address, { size, value, isPrivileged: false });
  }

  #load(address: number, size: AccessSize, isPrivileged: boolean): number {
    if (this.#watch?.(address >>> 0, size, 'read') === true) throw new WatchedAccess(address);
    return this.#access.load(address, size, isPrivileged);
  }

  #store(address: number, access: { size: AccessSize; value: number; isPrivileged: boolean }): void {
    if (this.#watch?.(address >>> 0, access.size, 'write') === true) throw new WatchedAccess(address);
    this.#access.store(address, access);
  }

  /** Throws where an instruction may not be fetched. */
  checkFetch(address: number): void {
    this.#access.checkFetch(address, this.status.isPrivileged);
  }

  /** Whether all instructions of a block may be. */
  canFetchAll(address: number, end: number): boolean {
    return this.#access.canFetchAll(address, end, this.status.isPrivileged);
  }

  /* ------------------------------------------------------------------------------------ generated code */

  guard(fault: GuardFault): void {
    if (fault === 'DIVBYZERO' && (this.scs.ccr & CCR.DIV_0_TRP) === 0) return;
    throw new CoreFault(fault);
  }

  exchange(target: number): void {
    if (this.status.ipsr !== 0 && target >>> 28 === 0xf) {
      this.#return(target);
      return;
    }
    this.#words[15] = target & ~1;
    this.#words[WORD.thumb] = target & 1;
  }

  openFloat(): void {
    const access = (this.scs.cpacr >>> 20) & 3;
    if (!(access === 3 || (access === 1 && this.status.isPrivileged))) throw new CoreFault('NOCP');
    if (this.scs.fpccr & FPCCR.LSPACT) this.#float.preserve();
    if ((this.status.control & CONTROL.FPCA) === 0 && this.scs.fpccr & FPCCR.ASPEN) {
      this.status.control |= CONTROL.FPCA;
      this.#words[WORD.fpscr] = this.scs.fpdscr;
    }
    this.refresh();
  }

  readonly system = (op: SystemOp, o: Op, ...args: readonly number[]): number => {
    const [first = 0, second = 0, third = 0] = args;
    switch (op) {
      case 'svc':
        // Where it cannot be taken it becomes a HardFault that returns behind it all the same, as on QEMU.
        this.#words[15] = o.next;
        this.raise(EXCEPTION.SVCall);
        return 0;
      case 'bkpt':
        if (this.isDebugged) {
          this.halt = 'breakpoint';
          this.#words[15] = (o.pc - 4) | 0;
          this.#words[WORD.it] = o.it;
          this.stop();
          return 0;
        }
        throw new CoreFault('BKPT');
      case 'wfi':
        this.#isWaitingForEvent = false;
        if (!this.canWake()) this.#sleep();
        return 0;
      case 'wfe':
        if (this.isEventSet) this.isEventSet = false;
        else {
          this.#isWaitingForEvent = true;
          if (!this.canWake()) this.#sleep();
        }
        return 0;
      case 'sev':
        this.isEventSet = true;
        return 0;
      case 'barrier':
        return 0;
      case 'clearExclusive':
        this.#exclusive = null;
        return 0;
      case 'cps':
        this.#changeState(first, second, third);
        return 0;
      case 'mrs':
        return this.status.readSpecial(first);
      case 'msr':
        if (this.status.writeSpecial(first, second, third)) this.stop();
        return 0;
      case 'loadExclusive':
        return this.#loadExclusive(first, second);
      case 'storeExclusive':
        return this.#storeExclusive(first, second, third);
      case 'writeFpscr':
        this.#words[WORD.fpscr] = first & 0xf7c0_009f;
        return 0;
      case 'undefined':
        break;
    }
    throw new CoreFault(isCoprocessor(o.code, this.scs.cpacr) ? 'NOCP' : 'UNDEFINSTR');
  };

  #sleep(): void {
    this.halt = 'sleeping';
    this.stop();
  }

  /** Whether a sleeping core wakes (B1.5.17, B1.5.19): something waits that PRIMASK alone may hold back. */
  canWake(): boolean {
    if (!this.nvic.hasPending) return false;
    // SCR.SEVONPEND: whatever waits is an event, even where it is not enabled.
    if (this.#isWaitingForEvent && (this.scs.scr & 0x10) !== 0) return true;
    return this.nvic.preempting(this.nvic.executionPriority(true)) !== 0;
  }

  #changeState(isDisabling: number, isPrimask: number, isFaultmask: number): void {
    if (!this.status.isPrivileged) return;
    if (isPrimask) this.nvic.primask = isDisabling;
    if (isFaultmask && (isDisabling === 0 || this.nvic.executionPriority() > -1))
      this.nvic.faultmask = isDisabling;
    this.stop();
  }

  #loadExclusive(address: number, size: number): number {
    if (address & (size - 1)) throw new CoreFault('UNALIGNED');
    const access = size === 4 ? 4 : size === 2 ? 2 : 1;
    const value = this.load(address, access);
    this.#exclusive = { address, size };
    return value;
  }

  #storeExclusive(address: number, size: number, value: number): number {
    if (address & (size - 1)) throw new CoreFault('UNALIGNED');
    const isOurs =
      this.#exclusive !== null && this.#exclusive.address === address && this.#exclusive.size === size;
    this.#exclusive = null;
    if (!isOurs) return 1;
    this.store(address, size === 4 ? 4 : size === 2 ? 2 : 1, value);
    return 0;
  }

  /* ------------------------------------------------------------------------------------ exceptions */

  /** Makes an exception wait; one that cannot go at once because of priority becomes a HardFault (B1.5.6). */
  raise(number: number): void {
    const execution = this.nvic.executionPriority();
    if (
      number !== EXCEPTION.HardFault &&
      (!this.nvic.isEnabled(number) || this.nvic.priorityOf(number) >= execution)
    ) {
      this.scs.hfsr |= 1 << 30;
      this.#hardFault(execution);
    } else if (number === EXCEPTION.HardFault) this.#hardFault(execution);
    else this.nvic.setPending(number, true);
    this.stop();
  }

  #hardFault(execution: number): void {
    if (execution <= -1) this.halt = 'locked';
    else this.nvic.setPending(EXCEPTION.HardFault, true);
    this.stop();
  }

  /** Records a fault and makes its exception wait. `from` is the instruction that failed. */
  takeFault({ name, address }: CoreFault, from: number): void {
    this.#words[15] = from;
    if (name === 'BKPT') {
      this.scs.hfsr |= 1 << 31;
      this.scs.dfsr |= 2;
      this.#hardFault(this.nvic.executionPriority());
      return;
    }
    this.raise(this.scs.recordFault(name, address));
  }

  /** Takes the exception that interrupts what runs, if one does. */
  takePending(): void {
    const number = this.nvic.preempting();
    if (number === 0) return;
    if (this.halt === 'sleeping') this.halt = null;
    const isFloat = (this.status.control & CONTROL.FPCA) !== 0;
    const fromThread = this.status.ipsr === 0;
    const fromProcess = this.status.isOnProcessStack;
    this.#push(isFloat);
    const excReturn =
      (fromThread ? (fromProcess ? 0xffff_fffd : 0xffff_fff9) : 0xffff_fff1) & (isFloat ? ~0x10 : -1);
    // What stacking itself has raised may go first.
    this.#enter(this.nvic.preempting() || number, excReturn);
  }

  #enter(number: number, excReturn: number): void {
    this.status.switchTo(number, this.status.control & ~(CONTROL.SPSEL | CONTROL.FPCA));
    this.nvic.setPending(number, false);
    this.nvic.setActive(number, true);
    this.#words[WORD.it] = 0;
    this.#words[14] = excReturn;
    this.#exclusive = null;
    this.isEventSet = true;
    let vector = 0;
    try {
      vector = this.#access.load((this.scs.vtor + 4 * number) | 0, 4, true);
    } catch (error) {
      if (!(error instanceof CoreFault)) throw error;
      this.scs.hfsr |= 2;
      this.#hardFault(this.nvic.executionPriority());
    }
    this.#words[15] = vector & ~1;
    this.#words[WORD.thumb] = vector & 1;
  }

  #push(isFloat: boolean): void {
    const size = isFloat ? 0x68 : 0x20;
    const mustAlign = isFloat || (this.scs.ccr & CCR.STKALIGN) !== 0;
    const sp = this.#word(13);
    const isShifted = mustAlign && (sp & 4) !== 0;
    const frame = ((sp - size) & (mustAlign ? ~7 : ~3)) | 0;
    const saved = [0, 1, 2, 3, 12, 14, 15].map((index) => this.#word(index));
    const xpsr = (this.status.xpsr & ~0x200) | (isShifted ? 0x200 : 0);
    this.#words[13] = frame;
    const isLazy = isFloat && (this.scs.fpccr & FPCCR.LSPEN) !== 0;
    if (isLazy) this.#float.defer((frame + 0x20) | 0);
    try {
      for (const [index, value] of [...saved, xpsr].entries()) this.#stack((frame + 4 * index) | 0, value);
      if (isFloat && !isLazy) this.#float.store((frame + 0x20) | 0);
    } catch (error) {
      this.#takeDerived(error, { memory: 'MSTKERR', bus: 'STKERR' });
    }
  }

  /** Stacking is no instruction that could be stopped before: a debugger stops behind it. */
  #stack(address: number, value: number): void {
    if (this.#watch?.(address >>> 0, 4, 'write') === true) this.holdForDebugger();
    this.#access.store(address, { size: 4, value, isPrivileged: this.status.isPrivileged });
  }

  /** A debugger has hold of the core from the next instruction on. */
  holdForDebugger(): void {
    this.halt = 'debug';
    this.stop();
  }

  /** A fault while stacking or unstacking: it waits beside the exception that is on its way. */
  #takeDerived(error: unknown, names: { readonly memory: FaultName; readonly bus: FaultName }): void {
    if (!(error instanceof CoreFault)) throw error;
    const number = this.scs.recordFault(error.name === 'PRECISERR' ? names.bus : names.memory, null);
    this.raise(number);
  }

  /** ExceptionReturn (B1.5.8). */
  #return(excReturn: number): void {
    const returning = this.status.ipsr;
    const kind = excReturn & 0xf;
    const nested = this.nvic.activeCount;
    const isThread = kind === 9 || kind === 13;
    const isNonBase = (this.scs.ccr & CCR.NONBASETHRDENA) !== 0;
    const isValid =
      ((excReturn | 0x1f) === -1 || (excReturn | 0x1f) >>> 0 === 0xffff_ffff) &&
      this.nvic.isActive(returning) &&
      (kind === 1 ? nested > 1 : isThread && (nested === 1 || isNonBase));
    this.nvic.setActive(returning, false);
    if (this.nvic.faultmask !== 0 && returning !== EXCEPTION.NMI) this.nvic.faultmask = 0;
    if (!isValid) {
      // The exception is over, but what it would return to is not reached: the fault is taken on this stack.
      this.#words[14] = excReturn | 0xf000_0000;
      this.scs.recordFault('INVPC', null);
      this.#chainInto(EXCEPTION.UsageFault, excReturn);
      return;
    }
    // Tail chaining: what waits and would interrupt the code returned to runs on the frame that lies there.
    const next = this.nvic.preempting();
    if (next !== 0) {
      this.#enter(next, excReturn);
      this.stop();
      return;
    }
    this.#pop(excReturn, isThread);
    if (isThread && this.nvic.activeCount === 0 && this.scs.isSleepOnExit && !this.canWake()) this.#sleep();
    this.stop();
  }

  #chainInto(number: number, excReturn: number): void {
    const execution = this.nvic.executionPriority();
    const isPossible = this.nvic.isEnabled(number) && this.nvic.priorityOf(number) < execution;
    if (!isPossible && execution <= -1) {
      this.halt = 'locked';
      this.stop();
      return;
    }
    if (!isPossible) this.scs.hfsr |= 1 << 30;
    this.#enter(isPossible ? number : EXCEPTION.HardFault, excReturn);
    this.stop();
  }

  #pop(excReturn: number, isThread: boolean): void {
    const toProcess = (excReturn & 0xf) === 13;
    const isFloat = (excReturn & 0x10) === 0;
    const returning = this.status.ipsr;
    const frame = toProcess ? this.status.psp : this.status.msp;
    const isPrivileged = !isThread || (this.status.control & CONTROL.NPRIV) === 0;
    const words: number[] = [];
    try {
      for (let index = 0; index < 8; index++)
        words.push(this.#access.load((frame + 4 * index) | 0, 4, isPrivileged));
      if (isFloat) this.#float.unstack((frame + 0x20) | 0, isPrivileged);
    } catch (error) {
      if (!(error instanceof CoreFault)) throw error;
      this.scs.recordFault(error.name === 'PRECISERR' ? 'UNSTKERR' : 'MUNSTKERR', null);
      this.#chainInto(error.name === 'PRECISERR' ? EXCEPTION.BusFault : EXCEPTION.MemManage, excReturn);
      return;
    }
    const xpsr = words[7] ?? 0;
    const ipsr = xpsr & 0x1ff;
    if (isThread ? ipsr !== 0 : ipsr === 0) {
      this.scs.recordFault('INVPC', null);
      this.#chainInto(EXCEPTION.UsageFault, excReturn);
      return;
    }
    const control =
      (this.status.control & ~(CONTROL.SPSEL | CONTROL.FPCA)) |
      (toProcess ? CONTROL.SPSEL : 0) |
      (isFloat ? CONTROL.FPCA : 0);
    const size = isFloat ? 0x68 : 0x20;
    const mustAlign = isFloat || (this.scs.ccr & CCR.STKALIGN) !== 0;
    const sp = (frame + size) | (mustAlign && xpsr & 0x200 ? 4 : 0) | 0;
    this.status.switchTo(returning === 0 ? 0 : ipsr, control);
    this.#words[13] = sp;
    for (const [index, register] of [0, 1, 2, 3, 12, 14].entries()) this.#words[register] = words[index] ?? 0;
    this.#words[15] = (words[6] ?? 0) & ~1;
    this.status.setApsr(xpsr, true, true);
    this.#words[WORD.thumb] = (xpsr >>> 24) & 1;
    this.#words[WORD.it] = ((xpsr >>> 25) & 3) | ((xpsr >>> 8) & 0xfc);
    this.#exclusive = null;
    this.isEventSet = true;
    this.refresh();
  }
}

/** Whether an undefined encoding belongs to a coprocessor that is absent or off (A5.3.18). */
function isCoprocessor(code: number, cpacr: number): boolean {
  if (((code >>> 16) & 0xec00) !== 0xec00) return false;
  const number = (code >>> 8) & 0xf;
  return (number !== 10 && number !== 11) || ((cpacr >>> 20) & 3) === 0;
}
