import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { blobStoreSuite } from './blob-store.suite.ts';
import { openFolderBlobStore } from './folder-blob-store.ts';

const makeFolder = (): Promise<string> => mkdtemp(path.join(tmpdir(), 'sevenfold-blobs-'));

blobStoreSuite('a folder', async () => {
  const folder = await makeFolder();
  return {
    open: () => openFolderBlobStore(folder),
    async damage(digest) {
      const file = path.join(folder, digest.slice(0, 2), digest);
      const bytes = await readFile(file);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      await writeFile(file, bytes);
    },
    dispose: () => rm(folder, { recursive: true }),
  };
});

describe('a folder of blobs', () => {
  it('is closed to other users, and forgets what was half written when the service died', async () => {
    const folder = await makeFolder();
    const blobs = await openFolderBlobStore(folder);
    const digest = await blobs.put(Uint8Array.of(1));
    expect((await stat(path.join(folder, digest.slice(0, 2)))).mode & 0o777).toBe(0o700);
    expect((await stat(path.join(folder, digest.slice(0, 2), digest))).mode & 0o777).toBe(0o600);
    await writeFile(path.join(folder, 'incoming', '0'), 'half a bl');
    await openFolderBlobStore(folder);
    expect(await readdir(path.join(folder, 'incoming'))).toEqual([]);
    expect(await blobs.has(digest)).toBe(true);
    await rm(folder, { recursive: true });
  });
});
