import type { Core } from '../core.ts';
import { WORD } from '../state.ts';

/** A register of GDB's features for M-profile cores. */
interface Register {
  readonly name: string;
  readonly bits: 32 | 64;
  readonly type?: string;
  readonly read: (core: Core) => number | bigint;
  /** Absent: cannot be set from outside. */
  readonly index?: number;
}

const core = (index: number, name: string, type?: string): Register => ({
  name,
  bits: 32,
  ...(type === undefined ? {} : { type }),
  read: (of) => of.register(index),
  index,
});
const special = (name: string, read: (core: Core) => number): Register => ({ name, bits: 32, read });

const PROFILE: readonly Register[] = [
  ...Array.from({ length: 13 }, (_, index) => core(index, `r${index}`)),
  core(13, 'sp', 'data_ptr'),
  core(14, 'lr'),
  core(15, 'pc', 'code_ptr'),
  special('xpsr', ({ processor }) => processor.status.xpsr),
];
const SYSTEM: readonly Register[] = [
  special('msp', ({ processor }) => processor.status.msp),
  special('psp', ({ processor }) => processor.status.psp),
  special('primask', ({ nvic }) => nvic.primask),
  special('basepri', ({ nvic }) => nvic.basepri),
  special('faultmask', ({ nvic }) => nvic.faultmask),
  special('control', ({ processor }) => processor.status.control),
];
const FLOAT: readonly Register[] = [
  ...Array.from({ length: 16 }, (_, index): Register => ({
    name: `d${index}`,
    bits: 64,
    type: 'ieee_double',
    read: ({ memory }) => {
      const word = (at: number): bigint => BigInt((memory.words[WORD.float + at] ?? 0) >>> 0);
      return (word(2 * index + 1) << 32n) | word(2 * index);
    },
  })),
  special('fpscr', ({ memory }) => memory.words[WORD.fpscr] ?? 0),
];

/** All registers in the order of GDB's `g` packet. */
export const REGISTERS: readonly Register[] = [...PROFILE, ...SYSTEM, ...FLOAT];

/** A register's bytes as hexadecimal text, the least significant first. */
export function registerText(register: Register, of: Core): string {
  const value = BigInt.asUintN(register.bits, BigInt(register.read(of)));
  const digits = value.toString(16).padStart(register.bits / 4, '0');
  return (digits.match(/../gu) ?? []).toReversed().join('');
}

const feature = (name: string, registers: readonly Register[]): string =>
  `<feature name="${name}">${registers
    .map(
      (each) =>
        `<reg name="${each.name}" bitsize="${each.bits}"${each.type === undefined ? '' : ` type="${each.type}"`}/>`,
    )
    .join('')}</feature>`;

/** The target description (GDB manual, G.5.2): what registers there are. */
export const TARGET_XML =
  '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0"><architecture>arm</architecture>' +
  feature('org.gnu.gdb.arm.m-profile', PROFILE) +
  feature('org.gnu.gdb.arm.m-system', SYSTEM) +
  feature('org.gnu.gdb.arm.vfp', FLOAT) +
  '</target>';
