import type { Operands, Semantics } from '../builder.ts';

/** Where an instruction stands: inside an IT block 16-bit data processing leaves the flags alone. */
export interface Place {
  readonly isInIt: boolean;
  readonly isLastInIt: boolean;
}

/**
 * One encoding of the architecture manual (Armv7-M ARM, DDI 0403E.e): its bits, how its fields become operands, how
 * it is written, and what it does. Interpreter, translator, disassembler and generated tests are all made of these.
 */
export interface Row {
  /** The manual's name of the encoding: `ADD (register) T1`. */
  readonly name: string;
  /** 16 or 32 digits; a letter is a bit of the field of that name, first letter highest. Blanks are ignored. */
  readonly bits: string;
  /**
   * How it is written. `<d>` register, `<D>` single-precision register, `<i>` immediate, `<.>` set flags,
   * `<list>` register list; other `<…>` see `disassembler.ts`.
   */
  readonly asm: string;
  /**
   * The operands of one instruction from its raw fields. `null`: it is another row's. `'unpredictable'`: the manual
   * lets an implementation do anything; this one takes it for undefined.
   */
  readonly decode?: (fields: Operands, place: Place) => Operands | 'unpredictable' | null;
  /** It may go elsewhere than to the next instruction, or change what follows. */
  readonly ends?: boolean | ((o: Operands) => boolean);
  /** Only the interpreter runs it. */
  readonly isSystem?: boolean;
  readonly does: (b: Semantics, o: Operands) => void;
}

/** A field of a decoder's argument: absent is 0. */
export const field = (fields: Operands, name: string): number => fields[name] ?? 0;
/** Whether a register may not stand where the manual says "if d IN {13,15} then UNPREDICTABLE". */
export const isBad = (register: number | undefined): boolean => register === 13 || register === 15;
/** Whether any of some registers is SP or PC. */
export const anyBad = (fields: Operands, names: string): boolean => {
  for (const name of names) if (isBad(fields[name])) return true;
  return false;
};
/** Sign-extends the low `bits` bits. */
export const signExtend = (value: number, bits: number): number => (value << (32 - bits)) >> (32 - bits);
/** Whether a jump may stand here: in an IT block only as its last instruction. */
export const mayJump = (place: Place): boolean => !place.isInIt || place.isLastInIt;
