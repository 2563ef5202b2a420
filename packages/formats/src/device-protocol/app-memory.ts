import type { CborMap, CborValue } from '../cbor.ts';
import { cborMap, CborMapReader } from '../cbor-reader.ts';

/** Bytes of an app's stack that a snapshot has at most. */
export const MOST_APP_STACK = 2048;

/** What is told of an app's linear memory when it trapped. */
export interface AppMemory {
  /** Where its stack was; null: its module does not say, as those of old SDKs. */
  readonly stackPointer: number | null;
  /** Where its heap begins, behind stack and data; null likewise. */
  readonly heapStart: number | null;
  /** Bytes of its memory. */
  readonly size: number;
  /** From the stack pointer on; empty unless its manifest asks for snapshots. */
  readonly stack: Uint8Array;
}

const MEMORY_KEYS = { stackPointer: 1, heapStart: 2, size: 3, stack: 4 } as const;
const ADDRESS = { max: 0xffff_ffff } as const;

/** An app's memory as a report has it. */
export function appMemoryMap({ stackPointer, heapStart, size, stack }: AppMemory): CborMap {
  return cborMap(MEMORY_KEYS, { stackPointer, heapStart, size, stack: stack.subarray(0, MOST_APP_STACK) });
}

/** Reads it, strictly. Throws `FormatError`. */
export function readAppMemory(value: CborValue, path: string): AppMemory {
  const reader = new CborMapReader(value, MEMORY_KEYS, path);
  const memory: AppMemory = {
    stackPointer: reader.nullable('stackPointer', () => reader.uint('stackPointer', ADDRESS)),
    heapStart: reader.nullable('heapStart', () => reader.uint('heapStart', ADDRESS)),
    size: reader.uint('size', ADDRESS),
    stack: reader.bytes('stack', { max: MOST_APP_STACK }),
  };
  reader.end();
  return memory;
}
