import { viewOf } from '../bytes.ts';
import type { CborMap, CborValue } from '../cbor.ts';
import { cborMap, CborMapReader } from '../cbor-reader.ts';

/** Names of a core's registers, in the order in which a dump has them. */
export const CORE_REGISTERS = [
  ...Array.from({ length: 13 }, (_, index) => `r${index}`),
  'sp',
  'lr',
  'pc',
  'xpsr',
  'msp',
  'psp',
  'control',
] as const;
/** The registers that say what went wrong (DDI 0403E B3.2.15 to B3.2.18). */
export const CORE_FAULT_REGISTERS = ['cfsr', 'hfsr', 'mmfar', 'bfar'] as const;
/** Bytes of its stack that a dump has at most. */
export const MOST_CORE_STACK = 2048;

/** What a real-time core was when its app failed (real-time-cores.md §6.4). */
export interface CoreDump {
  /** In the order of `CORE_REGISTERS`. */
  readonly registers: readonly number[];
  /** In the order of `CORE_FAULT_REGISTERS`. */
  readonly faults: readonly number[];
  /** From SP on. */
  readonly stack: Uint8Array;
}

const DUMP_KEYS = { registers: 1, faults: 2, stack: 3 } as const;

function packWords(words: readonly number[], length: number): Uint8Array {
  const bytes = new Uint8Array(length * 4);
  for (let index = 0; index < length; index++) viewOf(bytes).setUint32(index * 4, words[index] ?? 0, true);
  return bytes;
}

function unpackWords(bytes: Uint8Array): readonly number[] {
  return Array.from({ length: bytes.length / 4 }, (_, index) => viewOf(bytes).getUint32(index * 4, true));
}

/** A dump as a report has it: registers as little-endian words. */
export function coreDumpMap({ registers, faults, stack }: CoreDump): CborMap {
  return cborMap(DUMP_KEYS, {
    registers: packWords(registers, CORE_REGISTERS.length),
    faults: packWords(faults, CORE_FAULT_REGISTERS.length),
    stack: stack.subarray(0, MOST_CORE_STACK),
  });
}

/** Reads a dump, strictly. Throws `FormatError`. */
export function readCoreDump(value: CborValue, path: string): CoreDump {
  const reader = new CborMapReader(value, DUMP_KEYS, path);
  const dump: CoreDump = {
    registers: unpackWords(reader.bytes('registers', { length: CORE_REGISTERS.length * 4 })),
    faults: unpackWords(reader.bytes('faults', { length: CORE_FAULT_REGISTERS.length * 4 })),
    stack: reader.bytes('stack', { max: MOST_CORE_STACK }),
  };
  reader.end();
  return dump;
}
