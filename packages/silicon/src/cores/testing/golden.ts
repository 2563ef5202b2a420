import { crc32 } from '@sevenfold/formats';
import type { PlayedSegments, SegmentPlan } from './lockstep-segments.ts';
import type { Played } from './lockstep.ts';

/** Bytes of a golden file, as they come. */
class GoldenWriter {
  readonly #bytes: number[] = [];

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  byte(...values: readonly number[]): this {
    this.#bytes.push(...values);
    return this;
  }

  word(value: number): this {
    return this.byte(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }

  /** u8 changes, and for each u8 word, u32 value. PC starts at `address`, which a state does not say. */
  changes(start: Int32Array, address: number, end: Int32Array): this {
    const changed = [...end.entries()].filter(
      ([word, value]) => value !== (word === 15 ? address : (start[word] ?? 0)),
    );
    this.byte(changed.length);
    for (const [word, value] of changed) this.byte(word).word(value);
    return this;
  }
}

/**
 * Golden vectors: a plan's seed, and for each of its programs the code and what it changed, as the oracle confirmed.
 * Layout (little-endian): u32 seed, u32 cases, u32 length; then for each program u8 bytes of code, code, u8 executed,
 * u8 changes and for each change u8 word, u32 value; then u32 CRC-32 of the memory at the end.
 */
export function encodeGolden(seed: number, length: number, played: Played): Uint8Array {
  const writer = new GoldenWriter().word(seed).word(played.cases.length).word(length);
  for (const [index, each] of played.cases.entries()) {
    const code = each.instructions.flatMap((instruction) => [...instruction]);
    const { executed = 0, state = new Int32Array() } = played.outcomes[index] ?? {};
    writer.byte(code.length, ...code, executed).changes(each.state, each.address, state);
  }
  return writer.word(crc32(played.after)).bytes;
}

/**
 * Golden vectors of segments: u32 seed, u32 CRC-32 of the memory that the seed makes, u32 entries; then for each entry
 * u32 address, u16 instructions executed and the changes as above; then u32 CRC-32 of the memory at the end.
 */
export function encodeGoldenSegments({ seed }: SegmentPlan, played: PlayedSegments): Uint8Array {
  const { image, entered, after } = played;
  const writer = new GoldenWriter().word(seed).word(crc32(image.memory)).word(entered.length);
  for (const { segment, state, outcome, executed } of entered) {
    writer.word(segment.address).byte(executed & 0xff, executed >>> 8);
    writer.changes(state, segment.address, outcome.state);
  }
  return writer.word(crc32(after)).bytes;
}
