import { beforeAll, describe, expect, it } from 'vitest';

import { parseCertificate, type Certificate } from './certificate.ts';
import { sha256 } from './keys.ts';
import { makeAuthorities, NOW, type Authorities } from './testing/authorities.fixture.ts';
import { verifyChain } from './verify-chain.ts';

const ROUNDS = 10_000 * Number(process.env['SEVENFOLD_DEPTH'] ?? 1);
/** Ms. */
const MOST_TIME = 10;

function timeOf(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

/** Numbers that follow from a seed: a failure names the round, and the round is enough to repeat it. */
function numbers(seed: string): (below: number) => number {
  let block = new Uint8Array();
  let offset = 0;
  let counter = 0;
  return (below) => {
    if (offset + 4 > block.length) {
      block = new Uint8Array(sha256(new TextEncoder().encode(`${seed} ${counter++}`)));
      offset = 0;
    }
    const value = new DataView(block.buffer).getUint32(offset);
    offset += 4;
    return value % below;
  };
}

/** One to three changes: a bit, a byte, a cut, a repetition, a piece of the other certificate. */
function mutate(original: Uint8Array, other: Uint8Array, random: (below: number) => number): Uint8Array {
  let bytes = original.slice();
  for (let changes = 1 + random(3); changes > 0; changes -= 1) {
    const at = random(bytes.length);
    const length = 1 + random(40);
    const pieces = {
      bit: () => bytes.with(at, (bytes[at] ?? 0) ^ (1 << random(8))),
      byte: () => bytes.with(at, random(256)),
      cut: () => Uint8Array.of(...bytes.subarray(0, Math.max(1, at)), ...bytes.subarray(at + length)),
      repeat: () => Uint8Array.of(...bytes.subarray(0, at + length), ...bytes.subarray(at)),
      splice: () =>
        Uint8Array.of(
          ...bytes.subarray(0, at),
          ...other.subarray(at, at + length),
          ...bytes.subarray(at + length),
        ),
      end: () => bytes.subarray(0, at + 1),
    };
    const kinds = Object.values(pieces);
    bytes = new Uint8Array(kinds[random(kinds.length)]?.() ?? bytes);
  }
  return bytes;
}

describe('mutated certificates', () => {
  let all: Authorities;
  beforeAll(async () => {
    all = await makeAuthorities();
  });

  it.each(['device', 'tenantCa', 'intermediate'] as const)(
    'are never accepted in the place of %s, never crash and cost little',
    (place) => {
      const random = numbers(place);
      const chain = { device: all.device, tenantCa: all.tenantCa, intermediate: all.intermediate };
      const original = chain[place].certificate.der;
      const accepted: number[] = [];
      const slow: number[] = [];
      let tried = 0;
      for (let round = 0; round < ROUNDS / 3; round += 1) {
        const mutated = mutate(original, all.update.certificate.der, random);
        if (Buffer.compare(mutated, original) === 0) continue;
        tried += 1;
        let cost = timeOf(() => {
          if (isAccepted(place, mutated)) accepted.push(round);
        });
        // Other work of the machine makes single runs slow: a certificate is as costly as the best of several runs.
        for (let again = 0; cost > MOST_TIME && again < 5; again++)
          cost = Math.min(
            cost,
            timeOf(() => isAccepted(place, mutated)),
          );
        if (cost > MOST_TIME) slow.push(round);
      }
      process.stdout.write(`${tried} mutations of ${place}: ${accepted.length} accepted\n`);
      expect({ accepted, slow }).toEqual({ accepted: [], slow: [] });
    },
  );

  function isAccepted(place: 'device' | 'tenantCa' | 'intermediate', mutated: Uint8Array): boolean {
    const chain: Record<'device' | 'tenantCa' | 'intermediate', Certificate> = {
      device: all.device.certificate,
      tenantCa: all.tenantCa.certificate,
      intermediate: all.intermediate.certificate,
    };
    try {
      chain[place] = parseCertificate(mutated);
      const intermediates = [chain.tenantCa, chain.intermediate];
      const roots = [all.root.certificate];
      verifyChain({ leaf: chain.device, intermediates, roots, now: NOW, purpose: 'clientAuth' });
      return true;
    } catch (error) {
      // A refusal has a code; anything else is a crash.
      if (error instanceof Error && 'code' in error && !(error instanceof TypeError)) return false;
      throw error;
    }
  }
});
