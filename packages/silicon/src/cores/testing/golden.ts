import { crc32 } from '@sevenfold/formats';
import type { Played } from './lockstep.ts';

/**
 * Golden vectors: a plan's seed, and for each of its programs the code and what it changed, as the oracle confirmed.
 * Layout (little-endian): u32 seed, u32 cases, u32 length; then for each program u8 bytes of code, code, u8 executed,
 * u8 changes and for each change u8 word, u32 value; then u32 CRC-32 of the memory at the end.
 */
export function encodeGolden(seed: number, length: number, played: Played): Uint8Array {
  const bytes: number[] = [];
  const word = (value: number): void => {
    bytes.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  };
  word(seed);
  word(played.cases.length);
  word(length);
  for (const [index, each] of played.cases.entries()) {
    const code = each.instructions.flatMap((instruction) => [...instruction]);
    const outcome = played.outcomes[index];
    const changes: [number, number][] = [];
    for (const [register, value] of (outcome?.state ?? new Int32Array()).entries()) {
      // PC starts at the program, which the state does not say.
      const start = register === 15 ? each.address : (each.state[register] ?? 0);
      if (value !== start) changes.push([register, value]);
    }
    bytes.push(code.length, ...code, outcome?.executed ?? 0, changes.length);
    for (const [register, value] of changes) {
      bytes.push(register);
      word(value);
    }
  }
  word(crc32(played.after));
  return Uint8Array.from(bytes);
}
