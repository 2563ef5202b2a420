import type { CoreMemory } from './memory.ts';
import type { Nvic } from './nvic.ts';
import { WORD } from './state.ts';

/** CONTROL (B1.4.4). */
export const CONTROL = { NPRIV: 1, SPSEL: 2, FPCA: 4 } as const;

/**
 * The program status registers, CONTROL and the two stack pointers (Armv7-M ARM B1.4), and how MRS and MSR see them.
 * Flags and the stack pointer in use lie in the core's memory, where both engines have them.
 */
export class ProgramStatus {
  readonly #words: Int32Array;
  readonly #nvic: Nvic;
  /** Called when mode or CONTROL have changed. */
  readonly #onSwitch: () => void;
  control = 0;
  ipsr = 0;
  #otherSp = 0;

  constructor(memory: CoreMemory, nvic: Nvic, onSwitch: () => void) {
    this.#words = memory.words;
    this.#nvic = nvic;
    this.#onSwitch = onSwitch;
  }

  reset(): void {
    this.control = 0;
    this.ipsr = 0;
    this.#otherSp = 0;
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }

  get isPrivileged(): boolean {
    return this.ipsr !== 0 || (this.control & CONTROL.NPRIV) === 0;
  }

  get apsr(): number {
    const w = (index: number): number => this.#word(index);
    const nzcv =
      (w(WORD.nf) & (1 << 31)) |
      (w(WORD.zf) === 0 ? 1 << 30 : 0) |
      (w(WORD.cf) << 29) |
      ((w(WORD.vf) >>> 31) << 28);
    return nzcv | (w(WORD.qf) << 27) | (w(WORD.ge) << 16);
  }

  setApsr(value: number, hasFlags: boolean, hasGe: boolean): void {
    if (hasFlags) {
      this.#words[WORD.nf] = value;
      this.#words[WORD.zf] = value & (1 << 30) ? 0 : 1;
      this.#words[WORD.cf] = (value >>> 29) & 1;
      this.#words[WORD.vf] = value << 3;
      this.#words[WORD.qf] = (value >>> 27) & 1;
    }
    if (hasGe) this.#words[WORD.ge] = (value >>> 16) & 0xf;
  }

  /** xPSR as it is stacked. IT is split over bits 26:25 and 15:10. */
  get xpsr(): number {
    const it = this.#word(WORD.it);
    const epsr = (this.#word(WORD.thumb) << 24) | ((it & 3) << 25) | ((it & 0xfc) << 8);
    return this.apsr | epsr | this.ipsr;
  }

  get isOnProcessStack(): boolean {
    return this.ipsr === 0 && (this.control & CONTROL.SPSEL) !== 0;
  }

  get msp(): number {
    return this.isOnProcessStack ? this.#otherSp : this.#word(13);
  }

  set msp(value: number) {
    if (this.isOnProcessStack) this.#otherSp = value & ~3;
    else this.#words[13] = value & ~3;
  }

  get psp(): number {
    return this.isOnProcessStack ? this.#word(13) : this.#otherSp;
  }

  set psp(value: number) {
    if (this.isOnProcessStack) this.#words[13] = value & ~3;
    else this.#otherSp = value & ~3;
  }

  /** Changes mode or CONTROL.SPSEL, and with them which stack pointer R13 is. */
  switchTo(ipsr: number, control: number): void {
    const was = this.isOnProcessStack;
    this.ipsr = ipsr;
    this.control = control;
    if (this.isOnProcessStack !== was) {
      const sp = this.#word(13);
      this.#words[13] = this.#otherSp;
      this.#otherSp = sp;
    }
    this.#onSwitch();
  }

  /** MRS (B5.2.2). */
  readSpecial(number: number): number {
    if (number < 8) {
      const ipsr = number & 1 ? this.ipsr : 0;
      return ipsr | (number & 4 ? 0 : this.apsr);
    }
    if (!this.isPrivileged && number !== 20) return 0;
    switch (number) {
      case 8:
        return this.msp;
      case 9:
        return this.psp;
      case 16:
        return this.#nvic.primask;
      case 17:
      case 18:
        return this.#nvic.basepri;
      case 19:
        return this.#nvic.faultmask;
      case 20:
        return this.control;
      default:
        return 0;
    }
  }

  /** MSR; what unprivileged code may not write stays as it is. Answers whether anything beyond flags was to be written. */
  writeSpecial(number: number, value: number, mask = 2): boolean {
    if (number < 4) {
      this.setApsr(value, (mask & 2) !== 0, (mask & 1) !== 0);
      return false;
    }
    if (!this.isPrivileged) return false;
    const priority = value & 0xe0;
    switch (number) {
      case 8:
        this.msp = value;
        break;
      case 9:
        this.psp = value;
        break;
      case 16:
        this.#nvic.primask = value & 1;
        break;
      case 17:
        this.#nvic.basepri = priority;
        break;
      case 18:
        if (priority !== 0 && (priority < this.#nvic.basepri || this.#nvic.basepri === 0))
          this.#nvic.basepri = priority;
        break;
      case 19:
        if ((value & 1) === 0 || this.#nvic.executionPriority() > -1) this.#nvic.faultmask = value & 1;
        break;
      case 20: {
        // In Handler mode SPSEL does not change.
        const mask20 =
          this.ipsr === 0 ? CONTROL.NPRIV | CONTROL.SPSEL | CONTROL.FPCA : CONTROL.NPRIV | CONTROL.FPCA;
        this.switchTo(this.ipsr, (this.control & ~mask20) | (value & mask20));
        break;
      }
      default:
        break;
    }
    return true;
  }
}
