import { createPrivateKey, randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { openFileKeyStore } from './file-key-store.ts';
import { keyStoreSuite } from './key-store.suite.ts';
import { fromPem, toPem } from './pem.ts';

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

/** Cheap to stretch: the real cost is tested once. */
const sealed = (passphrase = 'correct horse battery') =>
  ({ secret: { kind: 'passphrase', passphrase }, cost: 2 ** 10 }) as const;

keyStoreSuite('sealed files', async () => {
  const folder = await newFolder();
  return {
    keys: await openFileKeyStore(folder, sealed()),
    reopen: async () => openFileKeyStore(folder, sealed()),
  };
});

describe('sealed key files', () => {
  it('hold nothing that OpenSSL or anybody else could use', async () => {
    const folder = await newFolder();
    const spki = await (await openFileKeyStore(folder, sealed())).make('root');
    const text = await readFile(join(folder, 'root.pem'), 'utf8');
    expect(text).toMatch(/^-----BEGIN SEVENFOLD SEALED KEY-----/u);
    expect(() => createPrivateKey(text)).toThrow(Error);
    expect(text).not.toContain(Buffer.from(spki.subarray(-64)).toString('base64').slice(0, 40));
    expect((await stat(join(folder, '.seal'))).mode & 0o777).toBe(0o600);
  });

  it('are refused under another passphrase, without one, and when they were put there later', async () => {
    const folder = await newFolder();
    await (await openFileKeyStore(folder, sealed())).make('root');
    const refused = { code: 'WrongPassphrase' };
    await expect(openFileKeyStore(folder, sealed('something else'))).rejects.toMatchObject(refused);
    await expect(openFileKeyStore(folder, sealed('short'))).rejects.toMatchObject(refused);
    await expect(openFileKeyStore(folder)).rejects.toMatchObject(refused);
    const plain = await newFolder();
    await (await openFileKeyStore(plain)).make('root');
    await copyFile(join(plain, 'root.pem'), join(folder, 'other.pem'));
    await expect((await openFileKeyStore(folder, sealed())).public('other')).rejects.toMatchObject({
      code: 'BadKey',
    });
    await expect(openFileKeyStore(plain, sealed())).rejects.toMatchObject({ code: 'KeyFileExposed' });
  });

  it('do not open in another one’s place, nor with any byte changed', async () => {
    const folder = await newFolder();
    await (await openFileKeyStore(folder, sealed())).make('root');
    const path = join(folder, 'root.pem');
    await copyFile(path, join(folder, 'leaf.pem'));
    const store = await openFileKeyStore(folder, sealed());
    await expect(store.public('leaf')).rejects.toMatchObject({ code: 'WrongPassphrase' });
    const [whole = new Uint8Array()] = fromPem('SEVENFOLD SEALED KEY', await readFile(path, 'utf8'));
    expect(whole.length).toBeGreaterThan(100);
    for (let index = 0; index < whole.length; index += 7) {
      const changed = whole.slice();
      changed[index] = (changed[index] ?? 0) ^ 1;
      await writeFile(path, toPem('SEVENFOLD SEALED KEY', changed));
      await expect(store.public('root')).rejects.toMatchObject({ code: 'WrongPassphrase' });
    }
  });

  it('open with a key file, at the real cost, when its owner alone can read it', async () => {
    const folder = await newFolder();
    const path = join(await newFolder(), 'seal.key');
    await writeFile(path, randomBytes(64), { mode: 0o600 });
    const secret = { kind: 'key-file', path } as const;
    const spki = await (await openFileKeyStore(folder, { secret })).make('root');
    expect(await (await openFileKeyStore(folder, { secret })).public('root')).toEqual(spki);
    await chmod(path, 0o644);
    await expect(openFileKeyStore(folder, { secret })).rejects.toMatchObject({ code: 'KeyFileExposed' });
  });
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
