import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KEYSTORE_LIMITS, successionStatement } from '@sevenfold/formats';
import { ensureKey, openFileKeyStore, sha256, verifySignature } from '@sevenfold/pki';
import { FIRST_KEYS, readPlatformKeys, retireKey, rotateKey, rotateKeyIn } from './platform-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'sevenfold-platform-'));
const SUCCESSION = { from: Uint8Array.of(1), to: new Uint8Array(32), signature: new Uint8Array(64) };
afterAll(() => rmSync(folder, { recursive: true }));

describe('the keys of the platform', () => {
  it('are one key before the first rotation, then two, of which the former hands over to the next', async () => {
    expect(readPlatformKeys(folder)).toEqual(FIRST_KEYS);
    const rotated = await rotateKeyIn(folder);
    expect(readPlatformKeys(folder)).toEqual(rotated);
    const store = await openFileKeyStore(join(folder, 'keys'));
    const [succession] = rotated.successions;
    if (succession === undefined) throw new Error('no succession');
    expect(succession.from).toEqual(await ensureKey(store, 'signing'));
    expect(succession.to).toEqual(sha256(await ensureKey(store, 'signing-2')));
    const { from, to, signature } = succession;
    expect(verifySignature(from, successionStatement(to), signature)).toBe(true);
  });

  it('grow by a rotation, and lose by retirement only what no longer signs', () => {
    const rotated = rotateKey(FIRST_KEYS, SUCCESSION);
    const successions = [SUCCESSION];
    expect(rotated).toEqual({
      version: 2,
      signing: 'signing-2',
      trusted: ['signing', 'signing-2'],
      successions,
    });
    expect(retireKey(rotated, 'signing')).toEqual({
      version: 3,
      signing: 'signing-2',
      trusted: ['signing-2'],
      successions,
    });
    expect(() => retireKey(rotated, 'signing-2')).toThrow(expect.objectContaining({ code: 'BadValue' }));
    expect(() => retireKey(rotated, 'other')).toThrow(expect.objectContaining({ code: 'NotFound' }));
  });

  it('keep no more successions than a keystore takes', () => {
    let keys = FIRST_KEYS;
    for (let rotation = 0; rotation < 40; rotation++) keys = rotateKey(keys, SUCCESSION);
    expect(keys.successions).toHaveLength(KEYSTORE_LIMITS.maxSuccessions);
  });

  it('are not guessed at where their file is damaged', () => {
    writeFileSync(join(folder, 'platform-keys.json'), '{"version":"2"}');
    expect(() => readPlatformKeys(folder)).toThrow(expect.objectContaining({ code: 'FileError' }));
  });
});
