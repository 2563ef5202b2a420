import { utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '../../../packages/os/src/kernel/compartment/errno.ts';
import { scriptModule } from '../../../packages/os/src/kernel/testing/test-app.ts';
import { attackedDevice, step } from './attack.ts';

const ROOT = 3;
const PATH = 2048;
const WASI = 'wasi_snapshot_preview1';

const exitOf = async (path: Uint8Array, ...flags: readonly [number, bigint]): Promise<string | undefined> => {
  const device = await attackedDevice();
  const [openFlags, rights] = flags;
  const open = step(WASI, 'path_open', ROOT, 0, PATH, path.length, openFlags, rights, 0n, 0, 1024);
  await device.attack(scriptModule([open], [{ offset: PATH, bytes: path }]));
  await device.world.clock.advance(1);
  await device.expectUntouched();
  return device.reported[0];
};

describe('a path', () => {
  it.each<[string, keyof typeof ERRNO]>([
    ['/etc/passwd', 'ENOTCAPABLE'],
    ['//bin/app', 'ENOTCAPABLE'],
    ['../etc/passwd', 'ENOENT'],
    ['../../../../etc/passwd', 'ENOENT'],
    ['bin/../../etc/passwd', 'ENOENT'],
    ['bin/./.././../proc/self/mem', 'ENOENT'],
    ['bin\\..\\..\\etc', 'ENOENT'],
    ['bin/app\0.txt', 'EINVAL'],
    ['%2e%2e/etc/passwd', 'ENOENT'],
    ['..%00', 'ENOENT'],
    ['constructor', 'ENOENT'],
    ['__proto__', 'ENOENT'],
    ['dev/gpio', 'ENOENT'],
    ['', 'success'],
    ['..', 'success'],
    ['bin/../bin/app', 'success'],
  ])('%j ends in the image: %s', async (path, expected) => {
    expect(await exitOf(utf8Encode(path), 0, 0n)).toBe(`exit ${ERRNO[expected]}`);
  });

  it('that is no text, or too long, is none', async () => {
    expect(await exitOf(Uint8Array.of(0x62, 0xff, 0xfe), 0, 0n)).toBe(`exit ${ERRNO.ENOENT}`);
    expect(await exitOf(new Uint8Array(1025).fill(0x61), 0, 0n)).toBe(`exit ${ERRNO.ENAMETOOLONG}`);
  });

  it('is never written to', async () => {
    const app = utf8Encode('bin/app');
    const WRITE = 1n << 6n;
    expect(await exitOf(app, 0, WRITE)).toBe(`exit ${ERRNO.EROFS}`);
    expect(await exitOf(app, 8, 0n)).toBe(`exit ${ERRNO.EROFS}`);
    expect(await exitOf(utf8Encode('new'), 1, WRITE)).toBe(`exit ${ERRNO.EROFS}`);
  });
});
