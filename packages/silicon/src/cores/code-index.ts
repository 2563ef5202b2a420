import type { CoreMemory } from './memory.ts';
import { GRANULE_SHIFT, XIP_OFFSET } from './state.ts';

/** Something made from a stretch of code, given up when a store changes that. Offsets are from `TCM_AT`. */
export interface Derived {
  readonly first: number;
  /** One beyond the last byte. */
  readonly end: number;
  readonly drop: () => void;
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
    for (const granule of granulesOf(derived)) {
      const here = this.#granules.get(granule) ?? new Set();
      here.add(derived);
      this.#granules.set(granule, here);
    }
  }

  /** Drops what was made from any of these bytes; says whether there was anything. */
  overwrite(offset: number, length: number): boolean {
    const hit = new Set<Derived>();
    for (const granule of granulesOf({ first: offset, end: offset + length })) {
      for (const derived of this.#granules.get(granule) ?? []) {
        if (derived.first < offset + length && offset < derived.end) hit.add(derived);
      }
    }
    for (const derived of hit) {
      for (const granule of granulesOf(derived)) this.#granules.get(granule)?.delete(derived);
      derived.drop();
    }
    return hit.size > 0;
  }

  /** Drops everything. */
  clear(): void {
    for (const here of this.#granules.values()) for (const derived of here) derived.drop();
    this.#granules.clear();
    this.#memory.forgetCode();
  }
}

function granulesOf({ first, end }: { readonly first: number; readonly end: number }): readonly number[] {
  const from = first >> GRANULE_SHIFT;
  const to = (end - 1) >> GRANULE_SHIFT;
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
