import {
  CODE_MAP_AT,
  GRANULE_SHIFT,
  MEMORY_PAGES,
  offsetOf,
  STATE_WORDS,
  TCM,
  TCM_AT,
  WORD,
  XIP_OFFSET,
} from './state.ts';
import type { AccessSize } from './ir.ts';
import { wasm, type LinearMemory } from './wasm-api.ts';

/** Where accesses go that are not plain ones to the core's own memories, and who hears of overwritten code. */
export interface SlowAccess {
  /** Checks rights; throws a fault. Answers the value, zero-extended. */
  readonly load: (address: number, size: AccessSize) => number;
  readonly store: (address: number, size: AccessSize, value: number) => void;
}

/** A core's linear memory: its registers, its three memories, and the maps that both engines keep beside them. */
export class CoreMemory {
  /** What translated code imports. */
  readonly linear: LinearMemory;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor() {
    this.linear = new wasm.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    this.words = new Int32Array(this.linear.buffer);
    this.bytes = new Uint8Array(this.linear.buffer);
    this.view = new DataView(this.linear.buffer);
    this.words[WORD.thumb] = 1;
    this.words[WORD.window] = TCM.size;
  }

  /** The words of registers and flags alone. */
  get state(): Int32Array {
    return this.words.subarray(0, STATE_WORDS);
  }

  /** Copies bytes into one of the three memories, XIP included: what a loader does. Throws `RangeError`. */
  write(address: number, bytes: Uint8Array): void {
    const first = offsetOf(address);
    if (bytes.length === 0) return;
    const last = offsetOf(address + bytes.length - 1);
    if (first < 0 || last - first !== bytes.length - 1) {
      throw new RangeError(`${bytes.length} bytes at ${address} are not in one memory of the core.`);
    }
    this.bytes.set(bytes, TCM_AT + first);
  }

  /** A copy of bytes of one of the three memories. Throws `RangeError`. */
  read(address: number, length: number): Uint8Array {
    return this.bytesOf(address, length).slice();
  }

  /** Bytes of one of the three memories as they are and will be, to look at. Throws `RangeError`. */
  bytesOf(address: number, length: number): Uint8Array {
    const first = offsetOf(address);
    const last = offsetOf(address + Math.max(1, length) - 1);
    if (first < 0 || last - first !== Math.max(1, length) - 1) {
      throw new RangeError(`${length} bytes at ${address} are not in one memory of the core.`);
    }
    return this.bytes.subarray(TCM_AT + first, TCM_AT + first + length);
  }

  /** A value at an offset from `TCM_AT`, zero-extended. */
  get(offset: number, size: AccessSize): number {
    const at = TCM_AT + offset;
    if (size === 4) return this.view.getInt32(at, true);
    return size === 2 ? this.view.getUint16(at, true) : (this.bytes[at] ?? 0);
  }

  put(offset: number, size: AccessSize, value: number): void {
    const at = TCM_AT + offset;
    if (size === 4) this.view.setInt32(at, value, true);
    else if (size === 2) this.view.setUint16(at, value & 0xffff, true);
    else this.bytes[at] = value;
  }

  /** Notes that bytes have been decoded, so that stores to them are seen. XIP is never stored to. */
  markCode(offset: number, length: number): void {
    if (offset >= XIP_OFFSET) return;
    // A word that is stored three bytes before the code still reaches it.
    const first = Math.max(0, offset - 3) >> GRANULE_SHIFT;
    const last = (offset + length - 1) >> GRANULE_SHIFT;
    this.bytes.fill(1, CODE_MAP_AT + first, CODE_MAP_AT + last + 1);
  }

  isMarked(offset: number): boolean {
    return offset < XIP_OFFSET && this.bytes[CODE_MAP_AT + (offset >> GRANULE_SHIFT)] !== 0;
  }

  forgetCode(): void {
    this.bytes.fill(0, CODE_MAP_AT, CODE_MAP_AT + (XIP_OFFSET >> GRANULE_SHIFT));
  }
}

/** The six accesses that the interpreter's code calls, with the common case in front. */
export interface Accessors {
  readonly load1: (address: number) => number;
  readonly load2: (address: number) => number;
  readonly load4: (address: number) => number;
  readonly store1: (address: number, value: number) => void;
  readonly store2: (address: number, value: number) => void;
  readonly store4: (address: number, value: number) => void;
}

/** Makes the accessors of a core. */
export function accessorsOf(memory: CoreMemory, slow: SlowAccess): Accessors {
  const { words, bytes } = memory;
  const halves = new Uint16Array(memory.linear.buffer);
  const window = (): number => words[WORD.window] ?? 0;
  return {
    load1: (address) => {
      const x = (address - TCM.base) >>> 0;
      return x < window() ? (bytes[x + TCM_AT] ?? 0) : slow.load(address, 1);
    },
    load2: (address) => {
      const x = (address - TCM.base) >>> 0;
      if (x < window() && (x & 1) === 0) return halves[(x + TCM_AT) >> 1] ?? 0;
      return slow.load(address, 2);
    },
    load4: (address) => {
      const x = (address - TCM.base) >>> 0;
      if (x < window() && (x & 3) === 0) return words[(x + TCM_AT) >> 2] ?? 0;
      return slow.load(address, 4);
    },
    store1: (address, value) => {
      const x = (address - TCM.base) >>> 0;
      if (x < window() && bytes[CODE_MAP_AT + (x >> GRANULE_SHIFT)] === 0) bytes[x + TCM_AT] = value;
      else slow.store(address, 1, value);
    },
    store2: (address, value) => {
      const x = (address - TCM.base) >>> 0;
      if (x < window() && (x & 1) === 0 && bytes[CODE_MAP_AT + (x >> GRANULE_SHIFT)] === 0)
        halves[(x + TCM_AT) >> 1] = value;
      else slow.store(address, 2, value);
    },
    store4: (address, value) => {
      const x = (address - TCM.base) >>> 0;
      if (x < window() && (x & 3) === 0 && bytes[CODE_MAP_AT + (x >> GRANULE_SHIFT)] === 0)
        words[(x + TCM_AT) >> 2] = value;
      else slow.store(address, 4, value);
    },
  };
}
