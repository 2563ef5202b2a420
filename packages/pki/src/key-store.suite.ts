import { describe, expect, it } from 'vitest';

import { ensureKey, type KeyStore } from './key-store.ts';
import { checkP256Spki, checkSpki, verifySignature } from './public-key.ts';

/** What every key store must do, whatever it keeps its keys in. `reopen` gives the same keys to a new instance. */
export function keyStoreSuite(
  name: string,
  open: () => Promise<{ keys: KeyStore; reopen: () => Promise<KeyStore> }>,
): void {
  describe(`key store: ${name}`, () => {
    const message = new TextEncoder().encode('what is signed');

    it('makes a P-256 key and signs with it', async () => {
      const { keys } = await open();
      const spki = await keys.make('root');
      expect(checkP256Spki(spki, 'spki')).toEqual(spki);
      const signature = await keys.sign('root', message);
      expect(signature).toHaveLength(64);
      expect(verifySignature(spki, message, signature)).toBe(true);
      expect(verifySignature(spki, new Uint8Array(1), signature)).toBe(false);
    });

    it('makes a P-384 key where asked to and signs with it', async () => {
      const { keys, reopen } = await open();
      const spki = await keys.make('root', 'P-384');
      expect(checkSpki(spki, 'spki', ['P-384'])).toEqual(spki);
      const signature = await (await reopen()).sign('root', message);
      expect(signature).toHaveLength(96);
      expect(verifySignature(spki, message, signature, 'ES384')).toBe(true);
    });

    it('keeps its keys for the next process', async () => {
      const { keys, reopen } = await open();
      const spki = await keys.make('tenant.1');
      const again = await reopen();
      expect(await again.public('tenant.1')).toEqual(spki);
      expect(verifySignature(spki, message, await again.sign('tenant.1', message))).toBe(true);
    });

    it('knows no key that nobody made', async () => {
      const { keys } = await open();
      expect(await keys.public('nobody')).toBeNull();
      await expect(keys.sign('nobody', message)).rejects.toMatchObject({ code: 'KeyNotFound' });
    });

    it('never replaces a key', async () => {
      const { keys, reopen } = await open();
      const spki = await keys.make('root');
      await expect(keys.make('root')).rejects.toMatchObject({ code: 'KeyExists' });
      await expect((await reopen()).make('root')).rejects.toMatchObject({ code: 'KeyExists' });
      expect(await keys.public('root')).toEqual(spki);
    });

    it('makes exactly one key when many ask for it at once', async () => {
      const { keys } = await open();
      const made = await Promise.allSettled(Array.from({ length: 8 }, () => keys.make('root')));
      expect(made.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      const first = await Promise.all(Array.from({ length: 4 }, () => ensureKey(keys, 'other')));
      for (const spki of first) expect(spki).toEqual(await keys.public('other'));
    });

    it('refuses what cannot name a key, or would name a file elsewhere', async () => {
      const { keys } = await open();
      for (const name of ['', '../root', 'a/b', 'Root', '.hidden', 'end.', 'x'.repeat(101), 'a\0b']) {
        await expect(keys.make(name)).rejects.toMatchObject({ code: 'BadKeyName', field: 'name' });
        await expect(keys.public(name)).rejects.toMatchObject({ code: 'BadKeyName' });
        await expect(keys.sign(name, message)).rejects.toMatchObject({ code: 'BadKeyName' });
      }
    });
  });
}
