import type { CoreAccess } from './access.ts';
import { CoreFault } from './fault.ts';
import { EXCEPTION, type Nvic } from './nvic.ts';
import type { ProgramStatus } from './program-status.ts';
import { WORD } from './state.ts';
import type { SystemControl } from './system-control.ts';

/** FPCCR bits (B3.2.21). */
export const FPCCR = {
  LSPACT: 1,
  USER: 2,
  THREAD: 8,
  HFRDY: 16,
  MMRDY: 32,
  BFRDY: 64,
  ASPEN: 1 << 31,
  LSPEN: 1 << 30,
} as const;

/** What the floating-point context is kept with. */
interface FloatContextParts {
  readonly words: Int32Array;
  readonly access: CoreAccess;
  readonly scs: SystemControl;
  readonly nvic: Nvic;
  readonly status: ProgramStatus;
}

/** The floating-point registers on the stack: put there with an exception, or only when somebody else uses them. */
export class FloatContext {
  readonly #parts: FloatContextParts;
  readonly #words: Int32Array;

  constructor(parts: FloatContextParts) {
    this.#parts = parts;
    this.#words = parts.words;
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }

  /** UpdateFPCCR: space on the stack, and the question later whether it is needed. */
  defer(address: number): void {
    const { scs, nvic, status } = this.#parts;
    scs.fpcar = address;
    const execution = nvic.executionPriority();
    const isReady = (number: number): boolean =>
      nvic.isEnabled(number) && execution > nvic.priorityOf(number);
    let fpccr = scs.fpccr & (FPCCR.ASPEN | FPCCR.LSPEN);
    fpccr |= FPCCR.LSPACT;
    if (!status.isPrivileged) fpccr |= FPCCR.USER;
    if (status.ipsr === 0) fpccr |= FPCCR.THREAD;
    if (execution > -1) fpccr |= FPCCR.HFRDY;
    if (isReady(EXCEPTION.BusFault)) fpccr |= FPCCR.BFRDY;
    if (isReady(EXCEPTION.MemManage)) fpccr |= FPCCR.MMRDY;
    scs.fpccr = fpccr;
  }

  /** Puts the registers on the stack now. Throws `CoreFault`. */
  store(address: number): void {
    const { scs, status, access } = this.#parts;
    const isPrivileged = (scs.fpccr & FPCCR.LSPACT) === 0 ? status.isPrivileged : !(scs.fpccr & FPCCR.USER);
    for (let index = 0; index < 16; index++) {
      access.store((address + 4 * index) | 0, {
        size: 4,
        value: this.#word(WORD.float + index),
        isPrivileged,
      });
    }
    access.store((address + 64) | 0, { size: 4, value: this.#word(WORD.fpscr), isPrivileged });
  }

  /** Puts them where space was left for them: they are about to be another context's. Throws `CoreFault`. */
  preserve(): void {
    const { scs } = this.#parts;
    try {
      this.store(scs.fpcar);
    } catch (error) {
      scs.fpccr &= ~FPCCR.LSPACT;
      if (!(error instanceof CoreFault)) throw error;
      throw new CoreFault(error.name === 'PRECISERR' ? 'LSPERR' : 'MLSPERR');
    }
    scs.fpccr &= ~FPCCR.LSPACT;
    this.#words[WORD.fpscr] = scs.fpdscr;
  }

  /** Takes them from the stack, unless they never left. Throws `CoreFault`. */
  unstack(address: number, isPrivileged: boolean): void {
    const { scs, access } = this.#parts;
    if (scs.fpccr & FPCCR.LSPACT) {
      scs.fpccr &= ~FPCCR.LSPACT;
      return;
    }
    for (let index = 0; index < 16; index++) {
      this.#words[WORD.float + index] = access.load((address + 4 * index) | 0, 4, isPrivileged);
    }
    this.#words[WORD.fpscr] = access.load((address + 64) | 0, 4, isPrivileged);
  }
}
