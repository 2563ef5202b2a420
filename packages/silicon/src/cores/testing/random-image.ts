import { ROWS } from '../isa/table.ts';
import { TCM } from '../state.ts';
import { encode, randomOf, type Random } from './random-programs.ts';

const IMAGE_BYTES = 0xc00;
const CODE_AT = 0x400;
const ENCODINGS_EACH = 64;

/** Random encodings of every row, system ones included, made with the first image: to find one by luck takes long. */
let pool: readonly (readonly number[])[] | null = null;

function makePool(): readonly (readonly number[])[] {
  const random = randomOf(20_261_123);
  return ROWS.flatMap((row) =>
    Array.from({ length: ENCODINGS_EACH }, () => {
      const bytes = encode(row, random, 0);
      return bytes === null ? [] : [...new Uint16Array(bytes.buffer)];
    }),
  );
}

/** Where vectors of a random image point: into its code, mostly as Thumb. */
const codeAddress = (random: Random): number =>
  TCM.base + CODE_AT + (random.below(IMAGE_BYTES - CODE_AT) & ~1) + Number(random.below(8) > 0);

/**
 * A memory image that nobody would write: vectors that point anywhere into code, and code of random instructions of
 * every kind, system ones included, with random bits among them.
 */
export function randomImage(random: Random): Uint8Array {
  pool ??= makePool();
  const halves = new Uint16Array(IMAGE_BYTES / 2);
  const words = new Int32Array(halves.buffer);
  words[0] = TCM.base + TCM.size - 4 * random.below(64);
  for (let vector = 1; vector < 0x100; vector++) words[vector] = codeAddress(random);
  let at = CODE_AT / 2;
  while (at < halves.length) {
    const code = random.below(16) === 0 ? undefined : pool[random.below(pool.length)];
    if (code === undefined) halves[at++] = random.word();
    else for (const half of code) halves[at++] = half;
  }
  return new Uint8Array(halves.buffer);
}
