import type { CoreMemory } from './memory.ts';
import { XIP_OFFSET } from './state.ts';

/** Bytes that are looked at together: 256. */
const GRANULE_SHIFT = 8;

/** Something made from a stretch of code, given up when a store changes that. Offsets are from `TCM_AT`. */
export interface Derived {
  readonly first: number;
  /** One beyond the last byte. */
  readonly end: number;
  /** `isByProgram`: the core's own program has stored there. */
  readonly drop: (isByProgram: boolean) => void;
}

/** Finds what was made from bytes that are being overwritten. */
export class CodeIndex {
  readonly #memory: CoreMemory;
  readonly #granules = new Map<number, Set<Derived>>();

  constructor(memory: CoreMemory) {
    this.#memory = memory;
  }

  add(derived: Derived): void {
    if (derived.first >= XIP_OFFSET) return;
    this.#memory.markCode(derived.first, derived.end - derived.first);
    const [from, to] = granulesOf(derived.first, derived.end);
    for (let granule = from; granule <= to; granule++) {
      const here = this.#granules.get(granule);
      if (here === undefined) this.#granules.set(granule, new Set([derived]));
      else here.add(derived);
    }
  }

  /** Drops what was made from any of these bytes; says whether there was anything. */
  overwrite(offset: number, length: number, isByProgram: boolean): boolean {
    const hit = new Set<Derived>();
    const [from, to] = granulesOf(offset, offset + length);
    for (let granule = from; granule <= to; granule++) {
      for (const derived of this.#granules.get(granule) ?? []) {
        if (derived.first < offset + length && offset < derived.end) hit.add(derived);
      }
    }
    for (const derived of hit) {
      this.forget(derived);
      derived.drop(isByProgram);
    }
    return hit.size > 0;
  }

  /** Looks no more at the bytes of something that is of no use any more. */
  forget(derived: Derived): void {
    const [from, to] = granulesOf(derived.first, derived.end);
    for (let granule = from; granule <= to; granule++) this.#granules.get(granule)?.delete(derived);
  }

  /** Drops everything. */
  clear(): void {
    for (const here of this.#granules.values()) for (const derived of here) derived.drop(false);
    this.#granules.clear();
    this.#memory.forgetCode();
  }
}

/** The first and the last granule of the bytes from `first` up to `end`. */
const granulesOf = (first: number, end: number): readonly [number, number] => [
  first >> GRANULE_SHIFT,
  (end - 1) >> GRANULE_SHIFT,
];
