import { describe, expect, it } from 'vitest';
import { concatBytes, equalBytes, toHex } from '../bytes.ts';
import { FormatError } from '../errors.ts';

/** A small seeded generator (mulberry32), so that every run of a test makes the same mutations. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** One change of a kind that transport, flash or an attacker would make. */
export function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const at = random(Math.max(1, bytes.length));
  const changed = Uint8Array.from(bytes);
  switch (random(6)) {
    case 0: // one bit
      changed[at] = (changed[at] ?? 0) ^ (1 << random(8));
      return changed;
    case 1: // one byte, often one that means something
      changed[at] = [0x00, 0x01, 0x7f, 0x80, 0xff, random(256)][random(6)] ?? 0;
      return changed;
    case 2: // cut short
      return changed.slice(0, at);
    case 3: // a piece missing
      return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + 1 + random(4))]);
    case 4: // a piece doubled
      return Uint8Array.from([...bytes.slice(0, at + 1), ...bytes.slice(Math.max(0, at - random(8)))]);
    default: // something appended
      return Uint8Array.from([...bytes, random(256)]);
  }
}

/** A decoder under test, and what writes its values again. */
export interface Codec<T> {
  readonly name: string;
  readonly samples: readonly Uint8Array[];
  decode(untrusted: Uint8Array): T;
  encode(value: T): Uint8Array;
  /** Repairs a mutant so that it gets past a checksum. */
  readonly repair?: (mutant: Uint8Array) => Uint8Array;
  readonly mutations?: number;
  /** Mutate only so many bytes from the start, where the structure is. */
  readonly focus?: number;
}

/**
 * What every strict decoder promises: some thousand seeded mutants of good input are either refused with a
 * `FormatError` or are themselves the one encoding of what they mean; nothing else is ever thrown.
 */
export function strictnessSuite<T>(codec: Codec<T>): void {
  describe(`${codec.name}: mutants`, () => {
    it('reads good input and writes the same bytes again', () => {
      for (const sample of codec.samples) {
        expect(toHex(codec.encode(codec.decode(sample)))).toBe(toHex(sample));
      }
    });

    it('refuses a mutant with a typed error, or it is the only encoding of its meaning', () => {
      const random = seededRandom(7);
      const mutations = codec.mutations ?? 3000;
      let refused = 0;
      for (let round = 0; round < mutations; round++) {
        const sample = codec.samples[random(codec.samples.length)] ?? new Uint8Array();
        const focus = codec.focus ?? sample.length;
        let head = mutate(sample.subarray(0, focus), random);
        if (random(4) === 0) head = mutate(head, random);
        let mutant: Uint8Array = concatBytes(head, sample.subarray(focus));
        if (codec.repair !== undefined) mutant = codec.repair(mutant);
        let value: T;
        try {
          value = codec.decode(mutant);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          expect(error.message).not.toBe('');
          refused += 1;
          continue;
        }
        if (!equalBytes(codec.encode(value), mutant)) {
          expect.fail(`two encodings of one value: ${toHex(mutant.subarray(0, 200))}`);
        }
      }
      expect(refused).toBeGreaterThan(mutations / 4);
    });
  });
}

/** The `FormatError` that an action throws; null: it threw nothing. Other errors are passed on. */
export function refusalOf(action: () => unknown): FormatError | null {
  try {
    action();
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
  return null;
}

/** The code of the `FormatError` that an action throws. */
export const codeOf = (action: () => unknown): string => refusalOf(action)?.code ?? 'accepted';
