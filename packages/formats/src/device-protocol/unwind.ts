import { viewOf } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { CORE_REGISTERS, type CoreDump } from './core-dump.ts';

/** Registers that a function keeps for its caller and that a row may say the place of: R4 to R11, then LR. */
const KEPT = [4, 5, 6, 7, 8, 9, 10, 11, 14] as const;
/** Words of a row: how far behind the row before, the frame, then the place of each register. */
export const UNWIND_WORDS = 2 + KEPT.length;
/** A row's frame where no function is known. */
const NO_FRAME = 0xff;

/** How the caller's registers are found from an address on, up to that of the next row (DWARF 5 §6.4). */
export interface UnwindRow {
  readonly offset: number;
  /** The caller's SP is this register plus so many bytes; null: nothing is known here. */
  readonly frame: { readonly register: number; readonly bytes: number } | null;
  /** By register: how many bytes below the caller's SP its value is kept. */
  readonly saved: ReadonlyMap<number, number>;
}

/** Packs rows, ascending by offset, into groups of `UNWIND_WORDS`. */
export function packUnwindRows(rows: readonly UnwindRow[]): readonly number[] {
  let before = 0;
  return rows.flatMap(({ offset, frame, saved }) => {
    const step = offset - before;
    before = offset;
    const packed = frame === null ? NO_FRAME : frame.register | (frame.bytes << 8);
    return [step, packed >>> 0, ...KEPT.map((register) => saved.get(register) ?? 0)];
  });
}

/** Rows from their words. Throws `NotSorted`, `ValueOutOfRange`. */
export function unpackUnwindRows(words: readonly number[]): readonly UnwindRow[] {
  const rows: UnwindRow[] = [];
  let offset = 0;
  for (let at = 0; at < words.length; at += UNWIND_WORDS) {
    const field = `unwind.${at / UNWIND_WORDS}`;
    const step = words[at] ?? 0;
    offset += step;
    if ((step === 0 && at > 0) || offset > 0xffff_ffff)
      throw new FormatError('NotSorted', `${field} is out of order.`, {
        field,
        rule: 'ascending, each once',
      });
    const packed = words[at + 1] ?? 0;
    const register = packed & 0xff;
    if (register > 15 && register !== NO_FRAME)
      throw new FormatError('ValueOutOfRange', `${field} names register ${register}.`, {
        field,
        rule: '0 to 15',
      });
    const places = KEPT.map((kept, index) => [kept, words[at + 2 + index] ?? 0] as const);
    rows.push({
      offset,
      frame: register === NO_FRAME ? null : { register, bytes: packed >>> 8 },
      saved: new Map(places.filter(([, bytes]) => bytes > 0)),
    });
  }
  return rows;
}

/** Frames of a stack that are looked at: what goes on for longer is no stack. */
const MOST_FRAMES = 64;
const [SP, LR, PC] = [13, 14, 15] as const;
/** Return addresses from here on are EXC_RETURN: behind them lies what an exception has stacked (B1.5.8). */
const EXCEPTION_RETURN = 0xffff_ffe1;
const RESET_RETURN = 0xffff_ffff;
/** Bytes that an exception stacks, with and without the floating-point registers, and where in that. */
const STACKED = { plain: 0x20, float: 0x68, lr: 0x14, pc: 0x18, xpsr: 0x1c, padding: 1 << 9 } as const;

function rowAt(rows: readonly UnwindRow[], address: number): UnwindRow | null {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.offset ?? 0) <= address) low = middle + 1;
    else high = middle;
  }
  return rows[low - 1] ?? null;
}

/**
 * The addresses of a stack, innermost first: the instruction that failed, then that of each call. Ends where a rule is
 * missing, or memory that the dump does not have. What is in a dump is whatever the program left: it decides nothing
 * here but numbers.
 */
export function unwindCore({ registers, stack }: CoreDump, rows: readonly UnwindRow[]): readonly number[] {
  const now = registers.slice(0, PC + 1);
  const base = now[SP] ?? 0;
  const view = viewOf(stack);
  const word = (address: number): number | null =>
    address >= base && address + 4 <= base + stack.length ? view.getUint32(address - base, true) : null;
  const addresses = [now[PC] ?? 0];
  // An address that was returned to is behind its call.
  let isExact = true;
  while (addresses.length < MOST_FRAMES) {
    const at = (addresses.at(-1) ?? 0) >>> 0;
    const row = rowAt(rows, at);
    // Only the innermost function may be one that calls nobody and keeps nothing.
    if ((row?.frame ?? null) === null && !isExact) break;
    if (row?.frame) {
      const top = ((now[row.frame.register] ?? 0) + row.frame.bytes) >>> 0;
      for (const [register, below] of row.saved) {
        const value = word(top - below);
        if (value === null) return addresses;
        now[register] = value;
      }
      now[SP] = top;
    }
    let target = now[LR] ?? 0;
    isExact = false;
    if (target >= EXCEPTION_RETURN && target !== RESET_RETURN) {
      const frame = (target & 4) === 0 ? (now[SP] ?? 0) : (registers[CORE_REGISTERS.indexOf('psp')] ?? 0);
      const [lr, pc, xpsr] = [word(frame + STACKED.lr), word(frame + STACKED.pc), word(frame + STACKED.xpsr)];
      if (lr === null || pc === null || xpsr === null) break;
      const size = (target & 16) === 0 ? STACKED.float : STACKED.plain;
      now[SP] = frame + size + ((xpsr & STACKED.padding) === 0 ? 0 : 4);
      now[LR] = lr;
      target = pc;
      isExact = true;
    }
    const address = isExact ? target : (target & ~1) - 2;
    if (target === RESET_RETURN || target < 2 || rowAt(rows, address >>> 0)?.frame == null) break;
    addresses.push(address >>> 0);
    // LR is the caller's no more: who does not say where it kept its own, called nobody.
    now[LR] = isExact ? (now[LR] ?? 0) : 0;
  }
  return addresses;
}
