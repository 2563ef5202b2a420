import { equalBytes, SevenfoldError } from '@sevenfold/formats';
import { generateKeyPair } from '@sevenfold/pki';
import { describe, expect, it } from 'vitest';
import type { EvidenceFormat, UnprovenEvidence } from './evidence.ts';

/** A chip that makes evidence of one format. */
export interface Attesting {
  /** SPKI of the key that it signs with. */
  readonly spki: Uint8Array;
  /** The name under which it is endorsed, in hex. */
  readonly evidenceName: string;
  evidence(challenge: Uint8Array): Uint8Array;
}

const CHALLENGE = Uint8Array.from({ length: 32 }, (_, index) => 255 - index);

/** What a decoder made of hostile bytes; null for a typed refusal. Whatever else is thrown fails the test. */
function decoded(format: EvidenceFormat, untrusted: Uint8Array): UnprovenEvidence | null {
  try {
    return format.recognises(untrusted) ? format.decode(untrusted) : null;
  } catch (error) {
    if (error instanceof SevenfoldError) return null;
    throw error;
  }
}

/** What every evidence format promises to the verbs that judge evidence; each one runs it. */
export function evidenceFormatSuite(format: EvidenceFormat, makeChip: () => Attesting): void {
  describe(`evidence format: ${format.name}`, () => {
    const chip = makeChip();
    const good = chip.evidence(CHALLENGE);
    /** All that a verdict stands on. */
    const saidIn = ({ evidenceName, challenge, lifecycle, components }: UnprovenEvidence) => ({
      evidenceName,
      challenge,
      lifecycle,
      components,
    });

    it('gives the chip’s name and the challenge as they were signed', () => {
      expect(format.recognises(good)).toBe(true);
      const evidence = format.decode(good);
      expect(evidence.format).toBe(format.name);
      expect(evidence.evidenceName).toBe(chip.evidenceName);
      expect(equalBytes(evidence.challenge, CHALLENGE)).toBe(true);
    });

    it('is signed by its own chip and by no other key, of whatever kind, nor by what is no key', () => {
      const evidence = format.decode(good);
      expect(evidence.isSignedBy(chip.spki)).toBe(true);
      const others = [
        makeChip().spki,
        generateKeyPair('P-256').spki,
        generateKeyPair('P-384').spki,
        chip.spki.slice(0, -1),
        new Uint8Array(0),
        new Uint8Array(91),
      ];
      for (const other of others) expect(evidence.isSignedBy(other)).toBe(false);
    });

    it('says nothing that the chip did not sign, whichever byte is changed and wherever it is cut off', () => {
      const original = saidIn(format.decode(good));
      const mutants = [...good.keys()].flatMap((at) => [
        good.with(at, (good[at] ?? 0) ^ (1 << (at % 8))),
        good.slice(0, at),
      ]);
      let believed = 0;
      for (const mutant of mutants) {
        const evidence = decoded(format, mutant);
        if (evidence?.isSignedBy(chip.spki) !== true) continue;
        believed += 1;
        expect(saidIn(evidence)).toEqual(original);
      }
      // A byte that nothing is said with, such as a tag, may differ; hardly any is of that kind.
      expect(believed).toBeLessThan(mutants.length / 50);
      expect(decoded(format, Uint8Array.of(...good, 0))).toBeNull();
    });

    it('refuses what is of no form with an error of its own kind, and looks at nothing where there is nothing', () => {
      expect(format.recognises(new Uint8Array(0))).toBe(false);
      const head = good.slice(0, 2);
      for (let length = 0; length < 64; length += 1) {
        expect(decoded(format, Uint8Array.of(...head, ...new Uint8Array(length).fill(length)))).toBeNull();
      }
    });
  });
}
