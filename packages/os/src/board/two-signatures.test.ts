import { describe, expect, it } from 'vitest';
import {
  encodeUnsignedImagePackage,
  finishImagePackage,
  parseImagePackage,
  signedBytesOf,
  type SystemImageTypeName,
} from '@sevenfold/formats';
import { writeSlot } from '@sevenfold/silicon';
import {
  copyBits,
  makeDevice,
  manufactureBits,
  stage,
  type ChipBits,
  type TestDevice,
} from './testing/device.fixture.ts';
import {
  bothRootKeysHash,
  keys,
  makeRelease,
  makeSystemImage,
  rootKeyHash,
  signWith,
} from './testing/release.fixture.ts';

const strict = { needsSecondSignature: true, rootKeyHash: bothRootKeysHash };
const factory = makeRelease({ twice: true }).then((release) => manufactureBits(release, strict));

/** Boots a chip whose slot A of a type holds another image. */
async function bootWith(bits: ChipBits, type: SystemImageTypeName, image: Uint8Array): Promise<TestDevice> {
  const device = makeDevice(copyBits(bits));
  device.chip.powerOn();
  writeSlot(device.chip.flash, type, 'A', image);
  device.chip.powerOff();
  await device.board.powerOn();
  return device;
}

describe('a chip that wants two signatures', () => {
  it('boots what has both, of root and platform', async () => {
    const device = makeDevice(copyBits(await factory));
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    expect(device.board.bootLog.filter((line) => line.includes('refused'))).toEqual([]);
    const services = await makeSystemImage('Services', { version: '2.0.0', twice: true });
    expect(await stage(device, services)).toBeGreaterThan(0);
    await device.board.powerOff();
  });

  const twice = { twice: true };
  const cases: readonly (readonly [string, SystemImageTypeName, string, () => Promise<Uint8Array>])[] = [
    [
      'without the section',
      'PlutonRuntime',
      'MissingSecondSignature',
      () => makeSystemImage('PlutonRuntime'),
    ],
    [
      'with the section stripped, and no more',
      'NormalWorldKernel',
      'BadSignature',
      async () => {
        const { payload, fields, signature } = parseImagePackage(
          await makeSystemImage('NormalWorldKernel', twice),
        );
        const { secondSignature: _stripped, ...rest } = fields;
        return finishImagePackage(encodeUnsignedImagePackage(payload, rest), signature);
      },
    ],
    [
      'with an empty section',
      'SecurityMonitor',
      'BadSecondSignature',
      async () => {
        const image = await makeSystemImage('SecurityMonitor', twice);
        const parsed = parseImagePackage(image);
        return Buffer.concat([signedBytesOf(parsed), parsed.signature]);
      },
    ],
    [
      'with the second signature of another image',
      'Services',
      'BadSecondSignature',
      async () => {
        const other = signedBytesOf(parseImagePackage(await makeSystemImage('Services', twice)));
        return makeSystemImage('Services', twice, { second: { over: () => other } });
      },
    ],
    [
      'with a second signature by another key',
      'NormalWorldKernel',
      'BadSecondSignature',
      () => makeSystemImage('NormalWorldKernel', twice, { second: { by: keys.stranger } }),
    ],
    [
      'with a second signature over its payload alone',
      'UpdateCertStore',
      'BadSecondSignature',
      () =>
        makeSystemImage('UpdateCertStore', twice, { second: { over: (signed) => signed.subarray(0, 8192) } }),
    ],
    [
      'with a second signature over itself as it is sent, the first one included',
      'UpdateCertStore',
      'BadSecondSignature',
      () =>
        makeSystemImage('UpdateCertStore', twice, {
          second: { over: (signed) => Buffer.concat([signed, signWith(keys.platform, signed)]) },
        }),
    ],
    [
      'that the first key has not signed',
      'Services',
      'BadSignature',
      () => makeSystemImage('Services', twice, { signatureBy: keys.stranger }),
    ],
    [
      'that is a keystore without the root’s second signature',
      'TrustedKeystore',
      'BadSecondSignature',
      () => makeSystemImage('TrustedKeystore', twice, { second: { by: keys.stranger } }),
    ],
    [
      'that is a keystore without the root’s second key',
      'TrustedKeystore',
      'WrongRoot',
      () => makeSystemImage('TrustedKeystore'),
    ],
    [
      'that is a keystore with another second key for the root',
      'TrustedKeystore',
      'WrongRoot',
      () =>
        makeSystemImage('TrustedKeystore', {
          ...twice,
          root: { ...keys.root, second: keys.stranger.second },
        }),
    ],
  ];
  it.each(cases)('refuses an image %s: %s, %s', async (_what, type, code, make) => {
    const device = await bootWith(await factory, type, await make());
    expect(device.board.bootLog.find((line) => line.includes('refused'))).toContain(
      `${type} slot A refused: ${code}`,
    );
    expect(device.board.lastOutcome).toMatchObject({ kind: 'running' });
    await device.board.powerOff();
  });

  it('refuses what the keystore knows no second key for, however it is signed', async () => {
    const release = await makeRelease({ twice: true });
    const { second: _none, ...alone } = keys.platform;
    const keystore = await makeSystemImage('TrustedKeystore', { twice: true, platformKeys: [alone] });
    const bits = manufactureBits(
      release.map((image) => (image.type === 'TrustedKeystore' ? { ...image, package: keystore } : image)),
      strict,
    );
    const device = makeDevice(bits);
    expect(await device.board.powerOn()).toMatchObject({ kind: 'stopped', code: 'NoBootableImage' });
    expect(device.board.bootLog.join('\n')).toContain('PlutonRuntime slot B refused: MissingSecondSignature');
  });

  it('does not stage what it could not boot', async () => {
    const device = makeDevice(copyBits(await factory));
    await device.board.powerOn();
    const services = await makeSystemImage('Services', { version: '2.0.0' });
    await expect(stage(device, services)).rejects.toMatchObject({ code: 'MissingSecondSignature' });
    await device.board.powerOff();
  });
});

describe('a chip that wants one signature', () => {
  it('runs images with two as well, and does not look at the second', async () => {
    const release = await makeRelease();
    const services = await makeSystemImage('Services', {}, { second: { by: keys.stranger } });
    const device = await bootWith(manufactureBits(release, { rootKeyHash }), 'Services', services);
    expect(device.board.bootLog.filter((line) => line.includes('refused'))).toEqual([]);
    await device.board.powerOff();
  });

  it('may ask for two one day, and never again for less', async () => {
    const bits = manufactureBits(await makeRelease({ twice: true }), { rootKeyHash: bothRootKeysHash });
    const device = makeDevice(bits);
    device.chip.powerOn();
    device.chip.fuses.requireSecondSignature();
    expect(device.chip.fuses.needsSecondSignature).toBe(true);
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    await device.board.powerOff();
    const plain = await bootWith(copyBits(bits), 'Services', await makeSystemImage('Services'));
    expect(plain.board.bootLog.find((line) => line.includes('refused'))).toContain('MissingSecondSignature');
    await plain.board.powerOff();
  });
});
