import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '@sevenfold/formats';
import { HmacDrbg, type DrbgParts } from './drbg.ts';
import { hmacSha256 } from './engines-symmetric.ts';

interface Vector {
  readonly file: string;
  readonly entropy: string;
  readonly nonce: string;
  readonly personalization: string;
  readonly additional: readonly [string, string];
  readonly reseed: readonly string[];
  readonly additionalReseed: string;
  readonly returned: string;
}
const { cases } = JSON.parse(
  readFileSync(new URL('./testdata/hmac-drbg-sha256.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly Vector[] };

const parts = (inputs: string[], more: Partial<DrbgParts> = {}): DrbgParts => ({
  hmac: hmacSha256,
  entropy: (length) => {
    const next = fromHex(inputs.shift() ?? '');
    expect(next.length).toBe(length);
    return next;
  },
  personalization: new Uint8Array(0),
  reseedInterval: 2 ** 48,
  ...more,
});

describe('HMAC_DRBG with SHA-256', () => {
  it.each(cases.map((vector, index) => [`${vector.file} ${index}`, vector] as const))(
    'yields what NIST’s validation programme expects: %s',
    (_name, vector) => {
      const { entropy, nonce, personalization, additional, reseed, additionalReseed, returned, file } =
        vector;
      const isResistant = file.endsWith('pr_true');
      const drbg = new HmacDrbg(
        parts([entropy, nonce, ...reseed], { personalization: fromHex(personalization) }),
      );
      if (reseed.length === 1) drbg.reseed(fromHex(additionalReseed));
      const [first, second] = additional.map((text) => ({
        additionalInput: fromHex(text),
        predictionResistance: isResistant,
      }));
      drbg.generate(128, first);
      expect(toHex(drbg.generate(128, second))).toBe(returned);
    },
  );

  it('reseeds by itself when its interval is over, and never later', () => {
    let draws = 0;
    const counted = (reseedInterval: number): HmacDrbg =>
      new HmacDrbg({
        hmac: hmacSha256,
        entropy: (length) => new Uint8Array(length).fill(++draws),
        personalization: new Uint8Array(0),
        reseedInterval,
      });
    const drbg = counted(3);
    for (let request = 0; request < 3; request++) drbg.generate(1);
    expect(draws).toBe(2);
    drbg.generate(1);
    expect(draws).toBe(3);
    for (let request = 0; request < 3; request++) drbg.generate(1);
    expect(draws).toBe(4);
  });

  it('gives nothing when prediction resistance is asked for and there is no entropy', () => {
    const inputs = ['aa'.repeat(32), 'bb'.repeat(16)];
    const drbg = new HmacDrbg({
      ...parts(inputs),
      entropy: () => {
        const next = inputs.shift();
        if (next === undefined) throw new Error('starved');
        return fromHex(next);
      },
    });
    drbg.generate(16);
    expect(() => drbg.generate(16, { predictionResistance: true })).toThrow('starved');
    expect(() => drbg.generate(65_537)).toThrow(expect.objectContaining({ code: 'OutOfRange' }));
  });
});
