import { createDecipheriv, createHash, createHmac } from 'node:crypto';
import { afterEach, expect, it, vi } from 'vitest';
import { utf8Encode } from '@sevenfold/formats';
import { openChip } from './chip.ts';
import { insecureSeededEntropy } from './engines.ts';
import { gcmOpen, gcmSeal, keyUnwrap, keyWrap } from './engines-symmetric.ts';
import { memoryFlash, memoryFuses } from './memory-storage.ts';

afterEach(() => vi.restoreAllMocks());

const KEY = new Uint8Array(32).fill(5);
const NONCE = new Uint8Array(12);

/** What Node's engines hand out while `work` runs: digests, and what they deciphered. Nothing is replaced. */
function handedOut(work: () => void): Uint8Array[] {
  const watched = [
    { maker: createHash('sha256'), names: ['digest'] },
    { maker: createHmac('sha256', KEY), names: ['digest'] },
    { maker: createDecipheriv('aes-256-gcm', KEY, NONCE), names: ['update', 'final'] },
  ];
  const given: Uint8Array[] = [];
  for (const { maker, names } of watched) {
    const prototype: object = Reflect.getPrototypeOf(maker) ?? {};
    for (const name of names) {
      const own = Reflect.get(prototype, name) as (...args: readonly unknown[]) => unknown;
      vi.spyOn(prototype as Record<string, () => unknown>, name).mockImplementation(function (
        this: unknown,
        ...args: readonly unknown[]
      ) {
        const result = Reflect.apply(own, this, args);
        if (result instanceof Uint8Array) given.push(result);
        return result;
      });
    }
  }
  work();
  return given;
}

it('leaves no key, seed, noise or opened text in what Node handed out on the way', () => {
  const context = new Uint8Array(32).fill(3);
  const text = utf8Encode('what is kept in a box');
  const given = handedOut(() => {
    const chip = openChip({
      flash: memoryFlash(),
      fuses: memoryFuses(),
      entropy: insecureSeededEntropy('wiped'),
    });
    chip.powerOn();
    chip.manufacture({ chipSku: 1, rootKeyHash: context });
    const { pluton } = chip;
    pluton.signIdentity(text);
    const { slot, salt } = pluton.makeKey(context, null);
    pluton.exportKey(slot);
    expect(pluton.makeKey(context, salt).salt).toEqual(salt);
    expect(pluton.unseal(context, pluton.seal(context, text))).toEqual(text);
    pluton.authenticate(text);
    const parameters = { key: KEY, nonce: NONCE, associated: text };
    expect(gcmOpen(parameters, gcmSeal(parameters, text))).toEqual(text);
    expect(keyUnwrap(KEY, keyWrap(KEY, context))).toEqual(context);
  });
  expect(given.length).toBeGreaterThan(50);
  expect(given.filter((bytes) => bytes.some((byte) => byte !== 0))).toEqual([]);
});
