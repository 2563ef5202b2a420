import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
  verify,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DEFAULT_BOOT_RECORD, concatBytes, toHex, utf8Encode, type PortValue } from '@sevenfold/formats';
import { openChip } from './chip.ts';
import { keyFromSeed, signP256, systemEntropy } from './engines.ts';
import type { SiliconError } from './errors.ts';
import { memoryFlash, memoryFuses } from './memory-storage.ts';
import { plutonHardware } from './pluton-port.ts';

const chip = openChip({ flash: memoryFlash(), fuses: memoryFuses(), entropy: systemEntropy() });
const handler = plutonHardware(
  chip,
  {
    selection: { config: 'current', record: DEFAULT_BOOT_RECORD, trial: false },
    report: { stages: [], failures: [] },
    keystorePackage: new Uint8Array(0),
    bundle: new Uint8Array(0),
    provided: [],
  },
  () => Promise.resolve(),
);
const call = (method: string, ...args: readonly PortValue[]) => handler('pluton', method, args);
const bytes = async (method: string, ...args: readonly PortValue[]): Promise<Uint8Array> =>
  (await call(method, ...args)) as Uint8Array;

describe('Pluton’s engines, at its hardware’s port', () => {
  it.each([
    ['SHA-256', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'SHA-384',
      'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
    ],
    [
      'SHA-512',
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    ],
  ])('hash with %s as FIPS 180-4 says', async (name, abc) => {
    expect(toHex(await bytes('digest', name, utf8Encode('abc')))).toBe(abc);
  });

  it('hash one head with several tails, at most four, as they hash each whole', async () => {
    const head = new Uint8Array(100_000).fill(3);
    const tails = ['', 'a', 'bc'].map(utf8Encode);
    const whole = await Promise.all(tails.map((tail) => bytes('sha256', concatBytes(head, tail))));
    expect(await call('sha256Tails', head, tails)).toEqual(whole);
    await expect(call('sha256Tails', head, ['a', 'b', 'c', 'd', 'e'].map(utf8Encode))).rejects.toMatchObject({
      code: 'BadArgument',
      field: 'tails',
    });
  });

  it('verify over a digest what was signed as a message', async () => {
    const message = utf8Encode('what is measured');
    const signer = keyFromSeed(new Uint8Array(32).fill(1), 'signer');
    const [{ spki }, signature] = [signer, signP256(signer, message)];
    const { spki: other } = keyFromSeed(new Uint8Array(32).fill(2), 'signer');
    const digest = await bytes('sha256', message);
    expect(await call('verifyDigest', spki, digest, signature)).toBe(true);
    expect(await call('verifyDigest', other, digest, signature)).toBe(false);
    await expect(call('verifyDigest', spki, message, signature)).rejects.toMatchObject({ field: 'digest' });
  });

  it('wrap, seal and derive, and refuse what was changed', async () => {
    const key = new Uint8Array(32).fill(7);
    const text = utf8Encode('sixteen bytes ok');
    const nonce = new Uint8Array(12);
    const sealed = await bytes('gcmSeal', key, nonce, text, text);
    expect(await bytes('gcmOpen', key, nonce, text, sealed)).toEqual(text);
    const wrapped = await bytes('keyWrap', key, text);
    expect(await bytes('keyUnwrap', key, wrapped)).toEqual(text);
    sealed[3] = (sealed[3] ?? 0) ^ 1;
    wrapped[3] = (wrapped[3] ?? 0) ^ 1;
    await expect(call('gcmOpen', key, nonce, text, sealed)).rejects.toMatchObject({ code: 'NotAuthentic' });
    await expect(call('keyUnwrap', key, wrapped)).rejects.toMatchObject({ code: 'NotAuthentic' });
    await expect(call('keyWrap', key, new Uint8Array(9))).rejects.toMatchObject({ code: 'BadArgument' });
    await expect(call('gcmSeal', key.subarray(1), nonce, text, text)).rejects.toMatchObject({
      code: 'BadArgument',
      field: 'key',
    });
    expect(await bytes('hkdf', key, text, text, 40)).toHaveLength(40);
    await expect(call('hkdf', key, text, text, 8161)).rejects.toMatchObject({ code: 'BadArgument' });
    const mac = createHash('sha256').update('x').digest();
    expect(await bytes('hmac', mac, text)).toHaveLength(32);
    expect(await call('verifyRsa', text, text, new Uint8Array(256))).toBe(false);
  });

  it('sign and decrypt by RSA with keys that they make, and hand out by no call', async () => {
    const text = utf8Encode('what is to be signed, or kept');
    const { slot, spki } = (await call('makeRsaKey')) as { slot: number; spki: Uint8Array };
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    expect(publicKey.asymmetricKeyDetails).toEqual({ modulusLength: 2048, publicExponent: 65537n });

    const signature = await bytes('signRsa', slot, text);
    expect(verify('sha256', text, publicKey, signature)).toBe(true);
    expect(await call('verifyRsa', spki, text, signature)).toBe(true);
    expect(await call('verifyRsa', spki, text.subarray(1), signature)).toBe(false);

    const oaep = { key: publicKey, oaepHash: 'sha256', padding: constants.RSA_PKCS1_OAEP_PADDING };
    for (const box of [await bytes('encryptRsa', spki, text), Uint8Array.from(publicEncrypt(oaep, text))])
      expect(await call('decryptRsa', slot, box)).toEqual(text);
    const changed = await bytes('encryptRsa', spki, new Uint8Array(190));
    changed[255] = (changed[255] ?? 0) ^ 1;
    const older = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, text);
    const refusals = await Promise.all(
      [changed, Uint8Array.from(older), new Uint8Array(256), new Uint8Array(256).fill(255)].map((box) =>
        call('decryptRsa', slot, box).then(
          String,
          ({ code, message }: SiliconError) => `${code}: ${message}`,
        ),
      ),
    );
    // All alike: an error that told which check failed would decrypt for whoever asks often enough.
    expect(new Set(refusals).size).toBe(1);
    expect(refusals[0]).toMatch(/^NotAuthentic/);

    await expect(call('exportKey', slot)).rejects.toMatchObject({ code: 'NoSuchKey' });
    await expect(call('encryptRsa', spki, new Uint8Array(191))).rejects.toMatchObject({ field: 'plaintext' });
    const other = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    const short = Uint8Array.from(other.export({ format: 'der', type: 'spki' }));
    await expect(call('encryptRsa', short, text)).rejects.toMatchObject({ code: 'BadArgument' });

    expect(await call('makeRsaKey')).toMatchObject({ slot: 1 });
    await expect(call('makeRsaKey')).rejects.toMatchObject({ code: 'KeySlotsFull' });
    await call('dropRsaKey', slot);
    for (const [method, argument] of [
      ['signRsa', text],
      ['decryptRsa', changed],
    ] as const)
      await expect(call(method, slot, argument)).rejects.toMatchObject({ code: 'NoSuchKey' });
    await expect(call('dropRsaKey', slot)).rejects.toMatchObject({ code: 'NoSuchKey' });
    chip.reset('Restart');
    await expect(call('signRsa', 1, text)).rejects.toMatchObject({ code: 'NoSuchKey' });
  });
});
