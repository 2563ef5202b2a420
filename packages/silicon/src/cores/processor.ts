import { CoreAccess, type AccessParts } from './access.ts';
import { Exceptions, type ExceptionHost, type Halt } from './exceptions.ts';
import { CoreFault, WatchedAccess } from './fault.ts';
import { FloatContext, FPCCR } from './float-context.ts';
import { mulHighS, mulHighU, type HandlerContext, type Op } from './handlers.ts';
import type { AccessSize, GuardFault, SystemOp } from './ir.ts';
import type { CoreMemory, SlowAccess } from './memory.ts';
import type { Mpu } from './mpu.ts';
import { EXCEPTION, type Nvic } from './nvic.ts';
import { CONTROL, ProgramStatus } from './program-status.ts';
import { offsetOf, TCM, WORD } from './state.ts';
import { CCR, type SystemControl } from './system-control.ts';

/** Hears of accesses before they are done: where, how many bytes, and which way. Answers whether to stop there. */
export type AccessWatch = (address: number, size: AccessSize, kind: 'read' | 'write') => boolean;

/**
 * The core around its instructions: sleep, exclusive accesses, special registers, what a debugger asks, and every access
 * that is not a plain one to its own memories (Armv7-M ARM part B).
 */
export class Processor implements HandlerContext, SlowAccess, ExceptionHost {
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
  readonly exceptions: Exceptions;
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
    this.exceptions = new Exceptions(this, {
      words: memory.words,
      access: this.#access,
      float: this.#float,
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
      this.exceptions.return(target);
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
        this.exceptions.raise(EXCEPTION.SVCall);
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
        if (!this.canWake()) this.sleep();
        return 0;
      case 'wfe':
        if (this.isEventSet) this.isEventSet = false;
        else {
          this.#isWaitingForEvent = true;
          if (!this.canWake()) this.sleep();
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

  /** WFI, WFE, or the end of a handler: nothing runs until something wakes the core. */
  sleep(): void {
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

  /** An exception came between: what was loaded exclusively is so no more. */
  forgetExclusive(): void {
    this.#exclusive = null;
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

  /** Stacking is no instruction that could be stopped before: a debugger stops behind it. */
  stack(address: number, value: number): void {
    if (this.#watch?.(address >>> 0, 4, 'write') === true) this.holdForDebugger();
    this.#access.store(address, { size: 4, value, isPrivileged: this.status.isPrivileged });
  }

  /** A debugger has hold of the core from the next instruction on. */
  holdForDebugger(): void {
    this.halt = 'debug';
    this.stop();
  }
}

/** Whether an undefined encoding belongs to a coprocessor that is absent or off (A5.3.18). */
function isCoprocessor(code: number, cpacr: number): boolean {
  if (((code >>> 16) & 0xec00) !== 0xec00) return false;
  const number = (code >>> 8) & 0xf;
  return (number !== 10 && number !== 11) || ((cpacr >>> 20) & 3) === 0;
}
