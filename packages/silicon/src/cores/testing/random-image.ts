import { ROWS } from '../isa/table.ts';
import { TCM } from '../state.ts';
import { encode, type Random } from './random-programs.ts';

/** Where vectors of a random image point: into its code, mostly as Thumb. */
const codeAddress = (random: Random): number =>
  TCM.base + 0x400 + (random.below(0x4000) & ~1) + Number(random.below(8) > 0);

/**
 * A memory image that nobody would write: vectors that point anywhere into code, and code of random instructions of
 * every kind, system ones included, with random bits among them.
 */
export function randomImage(random: Random): Uint8Array {
  const bytes = new Uint8Array(0x5000);
  const view = new DataView(bytes.buffer);
  for (let at = 0x400; at < bytes.length; at += 4) view.setInt32(at, random.word(), true);
  view.setInt32(0, TCM.base + TCM.size - 4 * random.below(64), true);
  for (let vector = 1; vector < 0x100; vector++) view.setInt32(4 * vector, codeAddress(random), true);
  let at = 0x400;
  while (at < bytes.length - 4) {
    const row = ROWS[random.below(ROWS.length)];
    const code = row === undefined || random.below(16) === 0 ? null : encode(row, random, 0);
    if (code === null) at += 2;
    else {
      bytes.set(code, at);
      at += code.length;
    }
  }
  return bytes;
}
