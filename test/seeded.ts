import { createHash } from 'node:crypto';
import type { Entropy } from '@sevenfold/formats';

/** How much deeper than usual the sweeps go: `SEVENFOLD_DEPTH`, 1 when absent. */
export function depth(): number {
  const value = Number(process.env['SEVENFOLD_DEPTH'] ?? '1');
  if (!Number.isInteger(value) || value < 1) throw new Error('SEVENFOLD_DEPTH is a whole number from 1 on');
  return value;
}

/** Bytes that follow from `seed` alone: SHA-256 in counter mode. For tests; no secret comes from here. */
export function seededEntropy(seed: string): Entropy {
  let counter = 0;
  let pool = Buffer.alloc(0);
  return {
    random(length) {
      while (pool.length < length) {
        pool = Buffer.concat([pool, createHash('sha256').update(`${seed} ${counter++}`).digest()]);
      }
      const bytes = new Uint8Array(pool.subarray(0, length));
      pool = pool.subarray(length);
      return bytes;
    },
  };
}

/** Numbers from 0 to 1 that follow from `seed` alone. */
export function seededRandom(seed: string): () => number {
  const entropy = seededEntropy(seed);
  return () => Buffer.from(entropy.random(6)).readUIntBE(0, 6) / 2 ** 48;
}
