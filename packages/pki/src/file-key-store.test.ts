import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { openFileKeyStore } from './file-key-store.ts';
import { keyStoreSuite } from './key-store.suite.ts';

const folders: string[] = [];
async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sevenfold-keys-'));
  folders.push(folder);
  return folder;
}
afterAll(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
});

keyStoreSuite('files', async () => {
  const folder = await newFolder();
  return { keys: await openFileKeyStore(folder), reopen: async () => openFileKeyStore(folder) };
});

describe('key files', () => {
  it('are readable by their owner alone, and nothing else is left in the folder', async () => {
    const folder = join(await newFolder(), 'keys');
    const keys = await openFileKeyStore(folder);
    await keys.make('root');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'root.pem'))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['root.pem']);
  });

  it('are refused when others could have read them', async () => {
    const folder = await newFolder();
    await (await openFileKeyStore(folder)).make('root');
    await chmod(join(folder, 'root.pem'), 0o640);
    const reopened = await openFileKeyStore(folder);
    await expect(reopened.public('root')).rejects.toMatchObject({
      code: 'KeyFileExposed',
      rule: 'mode 0600, but it is 0640',
    });
  });

  it('are refused when they hold something else', async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'root.pem'), 'no key', { mode: 0o600 });
    await expect((await openFileKeyStore(folder)).sign('root', new Uint8Array(1))).rejects.toMatchObject({
      code: 'BadKey',
    });
  });
});
