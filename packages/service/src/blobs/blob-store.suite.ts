import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore } from './blob-store.ts';

/** A store under test: `open` on the same place finds the same blobs; `damage` flips a bit behind its back. */
export interface BlobStoreUnderTest {
  open(): Promise<BlobStore>;
  damage(digest: string): Promise<void>;
  dispose(): Promise<void>;
}

/** What every blob store promises; each implementation runs it. */
export function blobStoreSuite(name: string, make: () => Promise<BlobStoreUnderTest>): void {
  describe(`blobs in ${name}`, () => {
    let place: BlobStoreUnderTest;
    let blobs: BlobStore;
    beforeEach(async () => {
      place = await make();
      blobs = await place.open();
    });
    afterEach(() => place.dispose());

    it('names bytes by their SHA-256 and gives them back, also after a restart', async () => {
      const bytes = new Uint8Array(randomBytes(300_000));
      const digest = await blobs.put(bytes);
      expect(digest).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(await blobs.read(digest)).toEqual(bytes);
      expect(await (await place.open()).read(digest)).toEqual(bytes);
    });

    it('takes the same bytes again, also at the same time', async () => {
      const bytes = Uint8Array.of(1, 2, 3);
      const digests = await Promise.all([blobs.put(bytes), blobs.put(bytes), blobs.put(bytes)]);
      expect(new Set(digests).size).toBe(1);
      expect(await blobs.has(digests[0])).toBe(true);
    });

    it('says that a blob is not there, and never looks outside its place', async () => {
      const absent = '0'.repeat(64);
      expect(await blobs.has(absent)).toBe(false);
      await expect(blobs.read(absent)).rejects.toMatchObject({ code: 'NotFound' });
      await expect(blobs.read('../../etc/passwd')).rejects.toMatchObject({ code: 'NotFound' });
    });

    it('lets go of a blob, and takes it again', async () => {
      const bytes = Uint8Array.of(7, 8, 9);
      const digest = await blobs.put(bytes);
      await blobs.remove(digest);
      await blobs.remove(digest);
      expect(await blobs.has(digest)).toBe(false);
      await expect(blobs.remove('../../etc/passwd')).rejects.toMatchObject({ code: 'NotFound' });
      expect(await blobs.put(bytes)).toBe(digest);
      expect(await blobs.read(digest)).toEqual(bytes);
    });

    it('refuses to hand out a damaged blob, and mends it when the bytes come again', async () => {
      const bytes = Uint8Array.of(4, 5, 6);
      const digest = await blobs.put(bytes);
      await place.damage(digest);
      await expect(blobs.read(digest)).rejects.toMatchObject({ code: 'BlobDamaged' });
      await blobs.put(bytes);
      expect(await blobs.read(digest)).toEqual(bytes);
    });
  });
}
