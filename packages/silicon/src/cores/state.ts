/**
 * Where a core's state lies in its linear memory, which both engines share. The first 256 words:
 * 0 to 14 the core registers, 15 the address of the next instruction, then what follows here.
 */
export const WORD = {
  /** N is the sign of this word. */
  nf: 16,
  /** Z holds where this word is 0. */
  zf: 17,
  /** 0 or 1. */
  cf: 18,
  /** V is the sign of this word. */
  vf: 19,
  /** 0 or 1. */
  qf: 20,
  /** Four bits. */
  ge: 21,
  fpscr: 22,
  /** EPSR.IT as it is before the next instruction. */
  it: 23,
  /** EPSR.T: 0 makes the next instruction fault. */
  thumb: 24,
  /** Instructions that may still run before the caller wants control back. */
  budget: 25,
  /** Not 0: leave after this instruction; there is an exception to take, or the core waits. */
  stop: 26,
  /** Not 0: a floating-point instruction must ask first (FP is off, or its registers are another context's). */
  floatGate: 27,
  /** Bytes from the start of TCM on that need no check: all of it, or 0 while MPU or alignment traps are on. */
  window: 28,
  /** First of the 32 single-precision registers. */
  float: 32,
} as const;
/** Words that hold registers and flags. */
export const STATE_WORDS = 64;

/** The core's view of its own memories (real-time core memory map): first address and size in bytes. */
export const TCM = { base: 0x0010_0000, size: 0x3_0000 } as const;
export const SYSRAM = { base: 0x2200_0000, size: 0x1_0000 } as const;
export const XIP = { base: 0x1000_0000, size: 0x10_0000 } as const;

/**
 * Linear addresses. TCM, SYSRAM and XIP lie behind each other, so that one offset from `TCM_AT` names any byte that
 * a core can execute.
 */
export const TCM_AT = 0x1_0000;
export const SYSRAM_OFFSET = TCM.size;
export const XIP_OFFSET = TCM.size + SYSRAM.size;
/** Bytes from `TCM_AT` on that hold memory. */
export const MEMORY_SIZE = XIP_OFFSET + XIP.size;
/** A byte for every 16 bytes of TCM and SYSRAM: not 0 where an instruction has been decoded. */
export const CODE_MAP_AT = 0x18_0000;
export const GRANULE_SHIFT = 4;
/** A word for every halfword of memory: function and block of the translation that starts there, or 0. */
export const ENTRY_MAP_AT = 0x20_0000;
/** Pages of 64 KiB that all this needs. */
export const MEMORY_PAGES = (ENTRY_MAP_AT + MEMORY_SIZE * 2) / 0x1_0000;

/** The offset from `TCM_AT` of an address that is in one of the three memories, else -1. */
export function offsetOf(address: number): number {
  const inTcm = (address - TCM.base) >>> 0;
  if (inTcm < TCM.size) return inTcm;
  const inSysram = (address - SYSRAM.base) >>> 0;
  if (inSysram < SYSRAM.size) return inSysram + SYSRAM_OFFSET;
  const inXip = (address - XIP.base) >>> 0;
  if (inXip < XIP.size) return inXip + XIP_OFFSET;
  return -1;
}
