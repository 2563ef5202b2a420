import type { Wiring } from './stage-loader.ts';
import { describe, expect, it } from 'vitest';
import {
  ABI_KINDS,
  FLASH_MAP,
  FLASH_SECTOR,
  IMAGE_TYPES,
  parseImagePackage,
  sectorOffset,
} from '@sevenfold/formats';
import { copyBits, makeDevice, manufactureBits, stage, type TestDevice } from './testing/device.fixture.ts';
import {
  APP_COMPONENT,
  keys,
  makeApp,
  makeRelease,
  makeSystemImage,
  sha256,
} from './testing/release.fixture.ts';

const factory = makeRelease().then(manufactureBits);

async function newDevice(wiring: Wiring = 'inline'): Promise<TestDevice> {
  const device = makeDevice(copyBits(await factory), wiring);
  await device.board.powerOn();
  return device;
}

describe('staging', () => {
  const begin = (device: TestDevice, bytes: Uint8Array, changes: object = {}) => {
    const { imageType, componentId, imageId } = parseImagePackage(bytes).fields;
    return device.call('stageBegin', {
      imageType,
      componentId,
      imageId,
      size: bytes.length,
      digest: sha256(bytes),
      ...changes,
    }) as Promise<{ stagingId: number; written: number }>;
  };

  it('takes no app back below the security version that it has had, removed and installed again or not', async () => {
    const device = await newDevice();
    const [first, second, same] = [
      makeApp('blink 1', 50, { securityVersion: 1 }),
      makeApp('blink 2', 50, { securityVersion: 3 }),
      makeApp('blink 3', 50, { securityVersion: 3 }),
    ];
    await device.call('commit', [await stage(device, first)], []);
    await device.call('commit', [await stage(device, second)], []);
    for (const older of [first, makeApp('blink 0', 50)]) {
      await expect(stage(device, older)).rejects.toMatchObject({ code: 'SecurityVersionTooLow' });
    }
    await device.call('commit', [], [APP_COMPONENT]);
    await device.board.powerOff();
    await device.board.powerOn();
    await expect(stage(device, first)).rejects.toMatchObject({ code: 'SecurityVersionTooLow' });
    await device.call('commit', [await stage(device, same)], []);
    // Nor by a soldering iron, as long as the record of it is there.
    await device.board.powerOff();
    device.chip.powerOn();
    const { flash } = device.chip;
    const sector = Array.from({ length: 100 }, (_, n) => n).findIndex((n) =>
      Buffer.from(flash.read(sectorOffset(n), same.length)).equals(same),
    );
    flash.erase(sectorOffset(sector), 4 * FLASH_SECTOR);
    flash.program(sectorOffset(sector), first);
    device.chip.powerOff();
    await device.board.powerOn();
    await expect(device.call('loadApplication', APP_COMPONENT)).rejects.toMatchObject({
      code: 'SecurityVersionTooLow',
    });
    await device.board.powerOff();
  });

  it('refuses an app that needs another application runtime than the kernel offers', async () => {
    const runtime = (version: number) => [{ version, kind: ABI_KINDS.ApplicationRuntime }];
    const release = await makeRelease();
    const kernel = await makeSystemImage('NormalWorldKernel', {}, { fields: { abiProvides: runtime(16) } });
    const device = makeDevice(
      manufactureBits(
        release.map((image) => (image.type === 'NormalWorldKernel' ? { ...image, package: kernel } : image)),
      ),
    );
    await device.board.powerOn();
    const newer = await stage(device, makeApp('blink', 50, { fields: { abiDepends: runtime(17) } }));
    await expect(device.call('commit', [newer], [])).rejects.toMatchObject({ code: 'AbiNotProvided' });
    const older = makeApp('blink', 50, { fields: { abiDepends: runtime(12) } });
    await device.call('commit', [await stage(device, older)], []);
    expect(await device.call('loadApplication', APP_COMPONENT)).toEqual(older);
    await device.board.powerOff();
  });

  it('installs, replaces and removes apps without a restart', async () => {
    const device = await newDevice();
    const first = makeApp('blink 1', 9000);
    expect(await device.call('commit', [await stage(device, first)], [])).toEqual({ restartRequired: false });
    expect(await device.call('loadApplication', APP_COMPONENT)).toEqual(first);
    const second = makeApp('blink 2', 20_000);
    await device.call('commit', [await stage(device, second)], []);
    expect(await device.call('loadApplication', APP_COMPONENT)).toEqual(second);
    await device.board.powerOff();
    await device.board.powerOn();
    expect(await device.call('loadApplication', APP_COMPONENT)).toEqual(second);
    await device.call('commit', [], [APP_COMPONENT]);
    await expect(device.call('loadApplication', APP_COMPONENT)).rejects.toMatchObject({
      code: 'NoSuchComponent',
    });
    await expect(device.call('commit', [], [APP_COMPONENT])).rejects.toMatchObject({
      code: 'NoSuchComponent',
    });
    await device.board.powerOff();
  });

  it('takes calls that come all at once one after the other, and leaves what runs alone', async () => {
    const device = await newDevice();
    const running = device.chip.flash.read(
      FLASH_MAP.system.Services.A.offset,
      FLASH_MAP.system.Services.A.length,
    );
    const services = await makeSystemImage('Services', { version: '2.0.0' });
    const { stagingId } = await begin(device, services);
    const writes: Promise<unknown>[] = [];
    for (let at = 0; at < services.length; at += 700) {
      writes.push(device.call('stageWrite', stagingId, at, services.subarray(at, at + 700)));
    }
    const finished = device.call('stageFinish', stagingId);
    const committed = device.call('commit', [stagingId], []);
    await Promise.all(writes);
    await finished;
    expect(await committed).toEqual({ restartRequired: true });
    expect(
      Buffer.compare(
        running,
        device.chip.flash.read(FLASH_MAP.system.Services.A.offset, FLASH_MAP.system.Services.A.length),
      ),
    ).toBe(0);
    await device.board.powerOff();
  });

  it('goes on after a power cut where it was, sector by sector', async () => {
    const device = await newDevice();
    const app = makeApp('blink', 50_000);
    const { stagingId } = await begin(device, app);
    await device.call('stageWrite', stagingId, 0, app.subarray(0, 30_000));
    expect(await begin(device, app)).toEqual({ stagingId, written: 30_000 });
    await device.board.powerOff();
    await device.board.powerOn();
    const again = await begin(device, app);
    expect(again.written).toBe(Math.floor(30_000 / 4096) * 4096);
    await device.call('stageWrite', again.stagingId, again.written, app.subarray(again.written));
    await device.call('stageFinish', again.stagingId);
    await device.call('commit', [again.stagingId], []);
    expect(await device.call('loadApplication', APP_COMPONENT)).toEqual(app);
    await device.board.powerOff();
  });

  it('refuses gaps, other bytes for the same place, too many bytes, and unfinished images', async () => {
    const device = await newDevice();
    const app = makeApp('blink', 9000);
    const { stagingId } = await begin(device, app);
    await expect(device.call('stageWrite', stagingId, 1, app.subarray(1, 9))).rejects.toMatchObject({
      code: 'StagingGap',
      field: 'offset',
    });
    await device.call('stageWrite', stagingId, 0, app.subarray(0, 5000));
    await device.call('stageWrite', stagingId, 100, app.subarray(100, 6000));
    await expect(device.call('stageWrite', stagingId, 0, Uint8Array.of(0xff))).rejects.toMatchObject({
      code: 'StagingConflict',
    });
    await expect(device.call('stageWrite', stagingId, 5500, Uint8Array.of(0xff))).rejects.toMatchObject({
      code: 'StagingConflict',
    });
    await expect(device.call('stageWrite', stagingId, 6000, new Uint8Array(60_000))).rejects.toMatchObject({
      code: 'ImageTooLarge',
    });
    await expect(device.call('stageFinish', stagingId)).rejects.toMatchObject({ code: 'StagingIncomplete' });
    await expect(device.call('commit', [stagingId], [])).rejects.toMatchObject({
      code: 'StagingNotFinished',
    });
    await expect(device.call('commit', [999], [])).rejects.toMatchObject({ code: 'NoSuchStaging' });
    await device.call('stageWrite', stagingId, 6000, app.subarray(6000));
    await device.call('stageFinish', stagingId);
    await expect(device.call('stageWrite', stagingId, 0, app.subarray(0, 10))).rejects.toMatchObject({
      code: 'StagingFinished',
    });
    await device.call('stageAbort', stagingId);
    await expect(device.call('stageAbort', stagingId)).rejects.toMatchObject({ code: 'NoSuchStaging' });
    await device.board.powerOff();
  });

  it('refuses what is not what was announced or not signed, and empties its slot', async () => {
    const device = await newDevice();
    const attempt = async (bytes: Uint8Array, changes: object = {}): Promise<unknown> => {
      const { stagingId, written } = await begin(device, bytes, changes);
      expect(written).toBe(0);
      for (let at = 0; at < bytes.length; at += 60_000)
        await device.call('stageWrite', stagingId, at, bytes.subarray(at, at + 60_000));
      return device.call('stageFinish', stagingId).catch((error: { code: string }) => error.code);
    };
    const app = makeApp('blink');
    const flipped = app.slice();
    flipped[4500] = (flipped[4500] ?? 0) ^ 1;
    expect(await attempt(app, { digest: sha256(flipped) })).toBe('DigestMismatch');
    expect(await attempt(flipped)).toBe('BadSignature');
    expect(await attempt(makeApp('x', 5000, { signer: keys.stranger }))).toBe('UnknownSigner');
    expect(await attempt(makeApp('x', 5000, { signer: keys.platform }))).toBe('UnknownSigner');
    expect(await attempt(app, { imageId: APP_COMPONENT })).toBe('ImageIdentityInconsistency');
    expect(await attempt(await makeSystemImage('Services', {}, { signer: keys.service }))).toBe(
      'UnknownSigner',
    );
    expect(await attempt(await makeSystemImage('TrustedKeystore', {}, { signer: keys.platform }))).toBe(
      'UnknownSigner',
    );
    await expect(begin(device, app, { imageType: IMAGE_TYPES.RootFs })).rejects.toMatchObject({
      code: 'UnsupportedImageType',
    });
    await expect(begin(device, app, { size: 1024 * 1024 + 1 })).rejects.toMatchObject({
      code: 'ImageTooLarge',
      field: 'size',
    });
    await expect(begin(device, app, { imageType: IMAGE_TYPES.Services })).rejects.toMatchObject({
      code: 'ImageIdentityInconsistency',
    });
    expect(
      ((await device.call('listImages')) as readonly { state: string }[]).filter(
        ({ state }) => state === 'staged',
      ),
    ).toEqual([]);
    await device.board.powerOff();
  });
});
