import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FIRST_KEYS, readPlatformKeys, retireKey, rotateKey, writePlatformKeys } from './platform-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'sevenfold-platform-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the keys of the platform', () => {
  it('are one key before the first rotation, and what was written after it', () => {
    expect(readPlatformKeys(folder)).toEqual(FIRST_KEYS);
    const rotated = rotateKey(FIRST_KEYS);
    writePlatformKeys(folder, rotated);
    expect(readPlatformKeys(folder)).toEqual(rotated);
  });

  it('grow by a rotation, and lose by retirement only what no longer signs', () => {
    const rotated = rotateKey(FIRST_KEYS);
    expect(rotated).toEqual({ version: 2, signing: 'signing-2', trusted: ['signing', 'signing-2'] });
    expect(retireKey(rotated, 'signing')).toEqual({
      version: 3,
      signing: 'signing-2',
      trusted: ['signing-2'],
    });
    expect(() => retireKey(rotated, 'signing-2')).toThrow(expect.objectContaining({ code: 'BadValue' }));
    expect(() => retireKey(rotated, 'other')).toThrow(expect.objectContaining({ code: 'NotFound' }));
  });

  it('are not guessed at where their file is damaged', () => {
    writeFileSync(join(folder, 'platform-keys.json'), '{"version":"2"}');
    expect(() => readPlatformKeys(folder)).toThrow(expect.objectContaining({ code: 'FileError' }));
  });
});
