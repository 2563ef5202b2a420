import { CycleCounter, type CoreTime } from './cycle-counter.ts';
import type { FaultName } from './fault.ts';
import { readIcsr, readShcsr, writeIcsr, writeShcsr } from './handler-status.ts';
import type { AccessSize } from './ir.ts';
import type { Mpu } from './mpu.ts';
import { EXCEPTION, EXTERNAL_LINES, type Nvic } from './nvic.ts';
import type { SysTick } from './systick.ts';

/** Bits of CFSR by fault, and the exception that each one is (B3.2.15). */
const CFSR_BITS: Readonly<Record<Exclude<FaultName, 'BKPT'>, readonly [bit: number, exception: number]>> = {
  IACCVIOL: [0, 4],
  DACCVIOL: [1, 4],
  MUNSTKERR: [3, 4],
  MSTKERR: [4, 4],
  MLSPERR: [5, 4],
  IBUSERR: [8, 5],
  PRECISERR: [9, 5],
  UNSTKERR: [11, 5],
  STKERR: [12, 5],
  LSPERR: [13, 5],
  UNDEFINSTR: [16, 6],
  INVSTATE: [17, 6],
  INVPC: [18, 6],
  NOCP: [19, 6],
  UNALIGNED: [24, 6],
  DIVBYZERO: [25, 6],
};
const MMARVALID = 1 << 7;
const BFARVALID = 1 << 15;
/** Exceptions whose priority SHPR1 to 3 hold, from 4 on. */
const SYSTEM_HANDLERS = 12;
const WORDS_OF_LINES = Math.ceil(EXTERNAL_LINES / 32);

/** CCR bits (B3.2.8). */
export const CCR = { NONBASETHRDENA: 1, UNALIGN_TRP: 8, DIV_0_TRP: 16, STKALIGN: 0x200 } as const;

/** The system control space at 0xE000_E000, and DWT's cycle counter (B3.2 to B3.5, C1.8). */
export class SystemControl {
  vtor = 0;
  ccr = 0x200;
  scr = 0;
  cpacr = 0;
  fpccr = 0;
  fpcar = 0;
  fpdscr = 0;
  cfsr = 0;
  hfsr = 0;
  dfsr = 0;
  mmfar = 0;
  bfar = 0;
  /** AIRCR.SYSRESETREQ was written: whoever runs the core resets it. */
  isResetRequested = false;
  #demcr = 0;
  readonly #cycles: CycleCounter;
  #vectors = 0;
  readonly #nvic: Nvic;
  readonly #mpu: Mpu;
  readonly #sysTick: SysTick;
  readonly #time: CoreTime;
  /** Which exception runs. */
  readonly #ipsr: () => number;

  constructor(parts: { nvic: Nvic; mpu: Mpu; sysTick: SysTick; time: CoreTime; ipsr: () => number }) {
    this.#nvic = parts.nvic;
    this.#mpu = parts.mpu;
    this.#sysTick = parts.sysTick;
    this.#time = parts.time;
    this.#cycles = new CycleCounter(parts.time);
    this.#ipsr = parts.ipsr;
  }

  reset(vectors: number): void {
    this.#vectors = vectors;
    this.vtor = vectors;
    this.ccr = 0x200;
    this.scr = 0;
    this.cpacr = 0;
    // ASPEN and LSPEN are set at reset (B3.2.21).
    this.fpccr = 0xc000_0000 | 0;
    this.fpcar = 0;
    this.fpdscr = 0;
    this.cfsr = 0;
    this.hfsr = 0;
    this.dfsr = 0;
    this.mmfar = 0;
    this.bfar = 0;
    this.isResetRequested = false;
    this.#demcr = 0;
    this.#cycles.reset();
    this.#sysTick.reset();
  }

  get isSleepOnExit(): boolean {
    return (this.scr & 2) !== 0;
  }

  /** Where the vector table lay at reset. */
  get resetVectors(): number {
    return this.#vectors;
  }

  /** Notes a fault in CFSR and its address register; answers the exception that it is. */
  recordFault(name: FaultName, address: number | null): number {
    if (name === 'BKPT') return EXCEPTION.HardFault;
    const [bit, exception] = CFSR_BITS[name];
    this.cfsr |= 1 << bit;
    if (address !== null && exception === EXCEPTION.MemManage) {
      this.mmfar = address;
      this.cfsr |= MMARVALID;
    }
    if (address !== null && exception === EXCEPTION.BusFault) {
      this.bfar = address;
      this.cfsr |= BFARVALID;
    }
    return exception;
  }

  /** A register of the private bus, or `null` where there is none. Parts of a word are read as parts. */
  read(address: number, size: AccessSize): number | null {
    const register = address & ~3 & 0xf_ffff;
    const word = this.#read(register);
    if (word === null || (address & (size - 1)) !== 0) return null;
    const part = word >>> (8 * (address & 3));
    return size === 4 ? word : part & (size === 2 ? 0xffff : 0xff);
  }

  /** Whether there is such a register, and it takes a write of this size. */
  write(address: number, size: AccessSize, value: number): boolean {
    const register = address & ~3 & 0xf_ffff;
    if ((address & (size - 1)) !== 0) return false;
    if (size === 4) return this.#write(register, value);
    // Only priorities and fault status are made of smaller parts (B3.1.1).
    const isParted = isIn(register, 0xe400, 240) || isIn(register, 0xed18, 12) || register === 0xed28;
    if (!isParted) return false;
    const shift = 8 * (address & 3);
    const mask = (size === 2 ? 0xffff : 0xff) << shift;
    // Fault status is write-1-to-clear: what is not written must stay.
    const kept = register === 0xed28 ? 0 : (this.#read(register) ?? 0) & ~mask;
    return this.#write(register, kept | ((value << shift) & mask));
  }

  #bitsOf(first: number, test: (number: number) => boolean): number {
    let bits = 0;
    for (let bit = 0; bit < 32; bit++) {
      if (first + bit < EXTERNAL_LINES && test(EXCEPTION.External + first + bit)) bits |= 1 << bit;
    }
    return bits;
  }

  #forBits(first: number, bits: number, does: (number: number) => void): void {
    for (let bit = 0; bit < 32; bit++) {
      if ((bits >>> bit) & 1 && first + bit < EXTERNAL_LINES) does(EXCEPTION.External + first + bit);
    }
  }

  #lineRegister(register: number): { readonly kind: number; readonly first: number } | null {
    for (const kind of [0xe100, 0xe180, 0xe200, 0xe280, 0xe300]) {
      if (isIn(register, kind, 4 * 16)) {
        const index = (register - kind) / 4;
        return index < WORDS_OF_LINES ? { kind, first: 32 * index } : { kind: 0, first: 0 };
      }
    }
    return null;
  }

  #read(register: number): number | null {
    const lines = this.#lineRegister(register);
    if (lines !== null) {
      if (lines.kind === 0) return 0;
      if (lines.kind <= 0xe180) return this.#bitsOf(lines.first, (number) => this.#nvic.isEnabled(number));
      if (lines.kind === 0xe300) return this.#bitsOf(lines.first, (number) => this.#nvic.isActive(number));
      return this.#bitsOf(lines.first, (number) => this.#nvic.isPending(number));
    }
    if (isIn(register, 0xe400, 240)) return this.#priorities(EXCEPTION.External + register - 0xe400);
    if (isIn(register, 0xed18, SYSTEM_HANDLERS)) return this.#priorities(4 + register - 0xed18);
    if (isIn(register, 0xe010, 16)) return this.#sysTick.read(register - 0xe010, this.#time.now());
    switch (register) {
      case 0x1000:
        return this.#cycles.control;
      case 0x1004:
        return this.#cycles.count;
      case 0xe004:
        return WORDS_OF_LINES - 1;
      case 0xe008:
      case 0xed3c:
        return 0;
      case 0xed00:
        return 0x410f_c241;
      case 0xed04:
        return readIcsr(this.#nvic, this.#ipsr());
      case 0xed08:
        return this.vtor;
      case 0xed0c:
        return 0xfa05_0000 | (this.#nvic.prigroup << 8) | 0;
      case 0xed10:
        return this.scr;
      case 0xed14:
        return this.ccr;
      case 0xed24:
        return readShcsr(this.#nvic);
      case 0xed28:
        return this.cfsr;
      case 0xed2c:
        return this.hfsr;
      case 0xed30:
        return this.dfsr;
      case 0xed34:
        return this.mmfar;
      case 0xed38:
        return this.bfar;
      case 0xed88:
        return this.cpacr;
      case 0xed90:
        return 0x800;
      case 0xed94:
        return this.#mpu.control;
      case 0xed98:
        return this.#mpu.selected;
      case 0xed9c:
      case 0xeda4:
      case 0xedac:
      case 0xedb4:
        return this.#mpu.rbar;
      case 0xeda0:
      case 0xeda8:
      case 0xedb0:
      case 0xedb8:
        return this.#mpu.rasr;
      case 0xedfc:
        return this.#demcr;
      case 0xef34:
        return this.fpccr;
      case 0xef38:
        return this.fpcar;
      case 0xef3c:
        return this.fpdscr;
      case 0xef40:
        return 0x1011_0021;
      case 0xef44:
        return 0x1100_0011;
      default:
        return isIn(register, 0xe000, 0x1000) ? 0 : null;
    }
  }

  #write(register: number, value: number): boolean {
    const lines = this.#lineRegister(register);
    if (lines !== null) {
      this.#writeLines(lines.kind, lines.first, value);
      return true;
    }
    if (isIn(register, 0xe400, 240)) this.#setPriorities(EXCEPTION.External + register - 0xe400, value);
    else if (isIn(register, 0xed18, SYSTEM_HANDLERS)) this.#setPriorities(4 + register - 0xed18, value);
    else if (isIn(register, 0xe010, 16)) this.#sysTick.write(register - 0xe010, value, this.#time.now());
    else return this.#writeOther(register, value);
    return true;
  }

  #writeOther(register: number, value: number): boolean {
    switch (register) {
      case 0x1000:
        this.#cycles.control = value;
        break;
      case 0x1004:
        this.#cycles.count = value;
        break;
      case 0xed04:
        writeIcsr(this.#nvic, value);
        break;
      case 0xed08:
        this.vtor = value & 0x3fff_ff80;
        break;
      case 0xed0c:
        if (value >>> 16 !== 0x05fa) break;
        this.#nvic.prigroup = (value >>> 8) & 7;
        if (value & 4) this.isResetRequested = true;
        break;
      case 0xed10:
        this.scr = value & 0x16;
        break;
      case 0xed14:
        this.ccr = value & 0x31b;
        break;
      case 0xed24:
        writeShcsr(this.#nvic, value);
        break;
      case 0xed28:
        this.cfsr &= ~value;
        break;
      case 0xed2c:
        this.hfsr &= ~value;
        break;
      case 0xed30:
        this.dfsr &= ~value;
        break;
      case 0xed34:
        this.mmfar = value;
        break;
      case 0xed38:
        this.bfar = value;
        break;
      case 0xed88:
        this.cpacr = value & 0x00f0_0000;
        break;
      case 0xed94:
        this.#mpu.control = value & 7;
        break;
      case 0xed98:
        this.#mpu.selected = value & 7;
        break;
      case 0xed9c:
      case 0xeda4:
      case 0xedac:
      case 0xedb4:
        this.#mpu.rbar = value;
        break;
      case 0xeda0:
      case 0xeda8:
      case 0xedb0:
      case 0xedb8:
        this.#mpu.rasr = value;
        break;
      case 0xedfc:
        this.#demcr = value & 0x0100_07f1;
        break;
      case 0xef00:
        if ((value & 0x1ff) < EXTERNAL_LINES)
          this.#nvic.setPending(EXCEPTION.External + (value & 0x1ff), true);
        break;
      case 0xef34:
        this.fpccr = (value & (0xc000_0000 | 0)) | (this.fpccr & 0x7b & (value & 1 ? -1 : ~1));
        break;
      case 0xef38:
        this.fpcar = value & ~7;
        break;
      case 0xef3c:
        this.fpdscr = value & 0x07c0_0000;
        break;
      default:
        return isIn(register, 0xe000, 0x1000);
    }
    return true;
  }

  #priorities(first: number): number {
    let word = 0;
    for (let index = 0; index < 4; index++) word |= this.#nvic.priorityByte(first + index) << (8 * index);
    return word;
  }

  #setPriorities(first: number, word: number): void {
    for (let index = 0; index < 4; index++) {
      const number = first + index;
      // Numbers between the system handlers are reserved.
      const isReserved = number < EXCEPTION.External && [7, 8, 9, 10, 13].includes(number);
      if (!isReserved) this.#nvic.setPriorityByte(number, (word >>> (8 * index)) & 0xff);
    }
  }

  #writeLines(kind: number, first: number, bits: number): void {
    if (kind === 0xe100) this.#forBits(first, bits, (number) => this.#nvic.setEnabled(number, true));
    if (kind === 0xe180) this.#forBits(first, bits, (number) => this.#nvic.setEnabled(number, false));
    if (kind === 0xe200) this.#forBits(first, bits, (number) => this.#nvic.setPending(number, true));
    if (kind === 0xe280) this.#forBits(first, bits, (number) => this.#nvic.setPending(number, false));
  }
}

const isIn = (register: number, first: number, length: number): boolean =>
  register >= first && register < first + length;
