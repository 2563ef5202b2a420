import { existsSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { keyStoreSuite } from '../key-store.suite.ts';
import { findJudge, TestFolder } from '../testing/judges.fixture.ts';
import { openPkcs11KeyStore, type Pkcs11KeyStore } from './pkcs11-key-store.ts';

const LIBRARY = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/local/lib/softhsm/libsofthsm2.so'].find(existsSync);
const softhsm = findJudge('softhsm2-util', 'keys in a PKCS#11 token (SoftHSM 2)');
const folder = new TestFolder('token');
const opened: Pkcs11KeyStore[] = [];
let tokens = 0;
afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()));
  folder.dispose();
});

const configuration = folder.write(
  'softhsm2.conf',
  `directories.tokendir = ${folder.path}\nobjectstore.backend = file\nlog.level = ERROR\n`,
);
const environment = { SOFTHSM2_CONF: configuration };
const PIN = '482916';

function newToken(): string {
  tokens += 1;
  const label = `sevenfold ${tokens}`;
  const made = softhsm?.run(
    ['--init-token', '--free', '--label', label, '--pin', PIN, '--so-pin', '91735528'],
    environment,
  );
  expect(made).toMatchObject({ accepted: true });
  return label;
}

async function open(label: string, pin = PIN): Promise<Pkcs11KeyStore> {
  const store = await openPkcs11KeyStore({ library: LIBRARY ?? '', label, pin, environment });
  opened.push(store);
  return store;
}

if (softhsm !== null && LIBRARY !== undefined) {
  keyStoreSuite('PKCS#11 (SoftHSM 2)', async () => {
    const label = newToken();
    return { keys: await open(label), reopen: async () => open(label) };
  });
}

describe.runIf(softhsm !== null && LIBRARY !== undefined)('a PKCS#11 token', () => {
  let label: string;
  beforeAll(() => {
    label = newToken();
  });

  it('is refused by a wrong PIN, another label and a library that is none', async () => {
    await expect(open(label, '111111')).rejects.toMatchObject({ code: 'WrongPassphrase', field: 'pin' });
    await expect(open('no such token')).rejects.toMatchObject({ code: 'KeyTokenFailed', field: 'label' });
    await expect(
      openPkcs11KeyStore({ library: configuration, label, pin: PIN, environment }),
    ).rejects.toMatchObject({ code: 'KeyTokenFailed', field: 'library' });
  });

  it('that is gone fails its calls and nothing else', async () => {
    const store = await open(label);
    await store.make('root');
    const [first] = await Promise.allSettled([store.sign('root', new Uint8Array(1)), store.close()]);
    expect(['fulfilled', 'rejected']).toContain(first.status);
    await expect(store.sign('root', new Uint8Array(1))).rejects.toMatchObject({ code: 'KeyTokenFailed' });
  });
});
