import type { Wiring } from './stage-loader.ts';
import { describe, expect, it } from 'vitest';
import {
  ABI_KINDS,
  DEFAULT_BOOT_RECORD,
  FLASH_MAP,
  FLASH_SECTOR,
  IMAGE_TYPES,
  SLOT_PACKAGE_OFFSET,
  SYSTEM_IMAGE_TYPES,
  encodeBootRecord,
  parseImagePackage,
} from '@sevenfold/formats';
import {
  activeNames,
  copyBits,
  makeDevice,
  manufactureBits,
  settled,
  stage,
  type TestDevice,
} from './testing/device.fixture.ts';
import { keys, makeApp, makeRelease, makeSystemImage, revocationOf } from './testing/release.fixture.ts';

const factory = makeRelease().then(manufactureBits);

async function newDevice(wiring: Wiring = 'inline'): Promise<TestDevice> {
  const device = makeDevice(copyBits(await factory), wiring);
  await device.board.powerOn();
  return device;
}

/** The Pluton runtime that the device booted, out of its flash. */
async function runtimeOf(device: TestDevice): Promise<Uint8Array> {
  const images = (await device.call('listImages')) as { imageType: number; slot: string; size: number }[];
  const { slot, size } = images.find(({ imageType }) => imageType === IMAGE_TYPES.PlutonRuntime) ?? {};
  expect(slot).toBe('A');
  return device.chip.flash.read(FLASH_MAP.system.PlutonRuntime.A.offset + SLOT_PACKAGE_OFFSET, size ?? 0);
}

/** Stages and commits system images, and restarts into them. */
async function update(device: TestDevice, images: readonly Uint8Array[]): Promise<void> {
  const ids: number[] = [];
  for (const image of images) ids.push(await stage(device, image));
  expect(await device.call('commit', ids, [])).toEqual({ restartRequired: true });
  await device.call('restart').catch(() => {});
  await settled(device);
}

const FAILING_KERNEL = `globalThis.stage = { async start(h) { throw new Error('this kernel does not come up'); } };`;
/** Comes up and kicks its watchdog for ever. */
const LIVELY_KERNEL = `globalThis.stage = { async start(h) {
  const { monitor, hardware } = h.ports;
  h.serve(async (caller, method, args) => monitor.call(method, ...args));
  (async () => { for (;;) { await monitor.call('watchdogKick', 600000); await h.clock.sleep(300000); } })();
  await hardware.call('startStage', 'services', await monitor.call('loadServices'));
} };`;
const HANGING_KERNEL = `globalThis.stage = { async start(h) { await new Promise(() => {}); } };`;

describe('an update of the system', () => {
  it('begins a trial, ends it when it is confirmed healthy, and only then raises the counters', async () => {
    const device = await newDevice();
    await update(device, [
      await makeSystemImage('NormalWorldKernel', { version: '2.0.0', securityVersion: 4 }),
      await makeSystemImage('PlutonRuntime', { version: '2.0.0', securityVersion: 2 }),
    ]);
    expect(await device.call('bootInfo')).toMatchObject({
      trial: true,
      resetReason: 'Restart',
      fellBack: null,
    });
    expect(await activeNames(device)).toMatchObject({
      NormalWorldKernel: 'kernel 2.0.0',
      PlutonRuntime: 'pluton 2.0.0',
      Services: 'services 1.0.0',
    });
    expect(device.chip.fuses.securityVersion('NormalWorldKernel')).toBe(1);
    await device.call('confirmHealthy');
    expect(device.chip.fuses.securityVersion('NormalWorldKernel')).toBe(4);
    expect(device.chip.fuses.securityVersion('PlutonRuntime')).toBe(2);
    await device.board.powerOff();
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running', config: 'current' });
    expect(await device.call('bootInfo')).toMatchObject({ trial: false });
    expect(await activeNames(device)).toMatchObject({ NormalWorldKernel: 'kernel 2.0.0' });
    // The old kernel is in the other slot, but its security version is too low now: it never runs again.
    device.chip.flash.flipBit(0x240000 + 9000, 0);
    await device.board.powerOff();
    device.chip.powerOn();
    device.chip.flash.flipBit(0x240000 + 2048 * 1024 + 9000, 0);
    expect(await device.board.powerOn()).toMatchObject({ kind: 'stopped' });
  });

  it.each([
    ['does not come up', FAILING_KERNEL, 0],
    ['hangs', HANGING_KERNEL, 120_000],
    ['is never confirmed', LIVELY_KERNEL, 3_600_000],
  ])(
    'that %s has three attempts, then the old system is back for good and remembers what it left',
    async (_what, kernel, time) => {
      const device = await newDevice();
      const image = await makeSystemImage('NormalWorldKernel', {
        version: '2.0.0',
        kernel,
      });
      await update(device, [image]);
      const waits = time > 0 ? 3 : 0;
      for (let attempt = 0; attempt < waits; attempt++) {
        await device.clock.advance(time);
        await settled(device);
      }
      expect(device.board.state, device.board.bootLog.join('\n')).toBe('running');
      const trials = device.board.bootLog.filter((line) => /: attempt \d of 3$/.test(line));
      expect(trials, device.board.bootLog.join('\n')).toHaveLength(3);
      const { imageId } = parseImagePackage(image).fields;
      expect(await device.call('bootInfo')).toMatchObject({
        trial: false,
        fellBack: { imageIds: [imageId] },
      });
      expect(await activeNames(device)).toMatchObject({ NormalWorldKernel: 'kernel 1.0.0' });
      await device.board.powerOff();
      // Once and for all: the next boot does not try it again, and still knows.
      expect(await device.board.powerOn()).toMatchObject({ kind: 'running', config: 'current' });
      expect(await device.call('bootInfo')).toMatchObject({
        trial: false,
        fellBack: { imageIds: [imageId] },
      });
      expect(await activeNames(device)).toMatchObject({ NormalWorldKernel: 'kernel 1.0.0' });
      await device.board.powerOff();
    },
  );

  it('to a keystore under which nothing may run any more is left like any other failed trial', async () => {
    const device = await newDevice();
    const revoked = [revocationOf(await runtimeOf(device))];
    await update(device, [await makeSystemImage('TrustedKeystore', { keystoreVersion: 2, revoked })]);
    expect(device.board.state, device.board.bootLog.join('\n')).toBe('running');
    expect(await device.call('bootInfo')).toMatchObject({
      trial: false,
      fellBack: { imageIds: [expect.any(String)] },
    });
    await device.board.powerOff();
  });

  it('is not left for a service that was out of reach for the better part of an hour', async () => {
    const device = await newDevice();
    await update(device, [
      await makeSystemImage('NormalWorldKernel', { version: '2.0.0', kernel: LIVELY_KERNEL }),
    ]);
    await device.clock.advance(50 * 60_000);
    expect(await device.call('bootInfo')).toMatchObject({ trial: true });
    expect(device.board.bootLog.filter((line) => /: attempt \d of 3$/.test(line))).toHaveLength(1);
    await device.call('confirmHealthy');
    await device.clock.advance(20 * 60_000);
    expect(await device.call('bootInfo')).toMatchObject({ trial: false });
    expect(await activeNames(device)).toMatchObject({ NormalWorldKernel: 'kernel 2.0.0' });
    await device.board.powerOff();
  });

  it('leaves a failed image for good, over later updates of system and apps, until it is committed again', async () => {
    const device = await newDevice();
    const bad = await makeSystemImage('NormalWorldKernel', { version: '2.0.0', kernel: FAILING_KERNEL });
    const worse = await makeSystemImage('Services', { version: '2.0.0', services: 'globalThis.stage = {};' });
    const ids = [bad, worse].map((image) => parseImagePackage(image).fields.imageId);
    await update(device, [bad]);
    await update(device, [worse]);
    expect(await device.call('bootInfo')).toMatchObject({ left: [[ids[1]], [ids[0]]] });
    await device.call('commit', [await stage(device, makeApp('blink'))], []);
    await update(device, [await makeSystemImage('NormalWorldKernel', { version: '3.0.0' })]);
    await device.call('confirmHealthy');
    await device.board.powerOff();
    await device.board.powerOn();
    expect(await activeNames(device)).toMatchObject({ NormalWorldKernel: 'kernel 3.0.0' });
    // Nothing new about it, so nothing more to report; but not forgotten.
    expect(await device.call('bootInfo')).toMatchObject({ fellBack: null, left: [[ids[1]], [ids[0]]] });
    await update(device, [worse]);
    expect(await device.call('bootInfo')).toMatchObject({
      fellBack: { imageIds: [ids[1]] },
      left: [[ids[1]], [ids[0]]],
    });
    await device.call('commit', [await stage(device, bad)], []);
    expect(await device.call('bootInfo')).toMatchObject({ fellBack: null, left: [[ids[1]]] });
    await device.board.powerOff();
  });

  it('cannot be kept out by a boot record that someone wrote with the highest of all numbers', async () => {
    const device = await newDevice();
    await device.board.powerOff();
    device.chip.powerOn();
    const forged = encodeBootRecord({ ...DEFAULT_BOOT_RECORD, sequence: 0xffffffff });
    for (const sector of [0, 2]) {
      device.chip.flash.erase(sector * FLASH_SECTOR, FLASH_SECTOR);
      device.chip.flash.program(sector * FLASH_SECTOR, forged);
    }
    await device.board.powerOn();
    await update(device, [await makeSystemImage('Services', { version: '2.0.0' })]);
    expect(await activeNames(device)).toMatchObject({ Services: 'services 2.0.0' });
    await device.call('confirmHealthy');
    await update(device, [await makeSystemImage('Services', { version: '3.0.0' })]);
    expect(await activeNames(device)).toMatchObject({ Services: 'services 3.0.0' });
    await device.board.powerOff();
  });

  it('to a security version that no fuse can hold is refused before it is staged', async () => {
    const device = await newDevice();
    const image = await makeSystemImage('NormalWorldKernel', { version: '2.0.0', securityVersion: 129 });
    await expect(stage(device, image)).rejects.toMatchObject({ code: 'SecurityVersionTooHigh' });
    await update(device, [
      await makeSystemImage('NormalWorldKernel', { version: '2.0.0', securityVersion: 128 }),
    ]);
    await device.call('confirmHealthy');
    expect(device.chip.fuses.securityVersion('NormalWorldKernel')).toBe(128);
    await device.board.powerOff();
    expect(await device.board.powerOn()).toMatchObject({ kind: 'running' });
    await device.board.powerOff();
  });

  it('may change the keys: images of the new keystore follow it', async () => {
    const device = await newDevice();
    const stranger = { platformKeys: [keys.platform, keys.stranger], keystoreVersion: 2 };
    const services = await makeSystemImage('Services', { version: '3.0.0' }, { signer: keys.stranger });
    await expect(stage(device, services)).rejects.toMatchObject({ code: 'UnknownSigner' });
    await update(device, [await makeSystemImage('TrustedKeystore', stranger)]);
    await device.call('confirmHealthy');
    await update(device, [services]);
    expect(await activeNames(device)).toMatchObject({ Services: 'services 3.0.0' });
    await device.board.powerOff();
  });

  it.each([
    ['a keystore', 'TrustedKeystore', { keystoreVersion: 2, version: '2.0.0' }],
    ['an image with a higher security version', 'Services', { securityVersion: 2, version: '2.0.0' }],
  ] as const)(
    'to %s has a second copy again once it is confirmed, should bits rot',
    async (_what, type, variant) => {
      const device = await newDevice();
      const image = await makeSystemImage(type, variant);
      await update(device, [image]);
      const { B } = FLASH_MAP.system[type];
      const inSlot = (slot: { readonly offset: number }): Uint8Array =>
        device.chip.flash.read(slot.offset + SLOT_PACKAGE_OFFSET, image.length);
      // On trial the old one is what the device may have to go back to.
      expect(inSlot(FLASH_MAP.system[type].A)).not.toEqual(image);
      await device.call('confirmHealthy');
      expect(inSlot(FLASH_MAP.system[type].A)).toEqual(image);
      await device.board.powerOff();
      device.chip.powerOn();
      device.chip.flash.flipBit(B.offset + SLOT_PACKAGE_OFFSET + 4096, 3);
      device.chip.powerOff();
      expect(await device.board.powerOn()).toMatchObject({ kind: 'running', config: 'current' });
      expect(device.board.bootLog.join('\n')).toContain(`${type} slot B refused`);
      expect((await activeNames(device))[type]).toMatch(/ 2\.0\.0$/);
      await device.board.powerOff();
    },
  );

  it('to a keystore without the key of what runs is refused, until that is signed by a key of it', async () => {
    const device = await newDevice();
    const both = { platformKeys: [keys.platform, keys.stranger], keystoreVersion: 2 };
    const only = { platformKeys: [keys.stranger], keystoreVersion: 3 };
    const last = await makeSystemImage('TrustedKeystore', only);
    await expect(device.call('commit', [await stage(device, last)], [])).rejects.toMatchObject({
      code: 'KeystoreLocksOut',
      field: 'PlutonRuntime',
    });
    await update(device, [await makeSystemImage('TrustedKeystore', both)]);
    await device.call('confirmHealthy');
    const release = await Promise.all(
      SYSTEM_IMAGE_TYPES.filter((type) => type !== 'TrustedKeystore').map((type) =>
        makeSystemImage(type, { version: '2.0.0' }, { signer: keys.stranger }),
      ),
    );
    await update(device, release);
    await device.call('confirmHealthy');
    await update(device, [last]);
    await device.call('confirmHealthy');
    expect(await activeNames(device)).toMatchObject({
      TrustedKeystore: 'keystore 1.0.0',
      PlutonRuntime: 'pluton 2.0.0',
    });
    // From now on the former key signs nothing any more.
    const former = await makeSystemImage('Services', { version: '3.0.0' });
    await expect(stage(device, former)).rejects.toMatchObject({ code: 'UnknownSigner' });
    await device.board.powerOff();
  });

  it('to an image that needs an interface which no other image offers is refused at its commit', async () => {
    const device = await newDevice();
    const depends = [{ version: 2, kind: ABI_KINDS.SecureWorldRuntime }];
    const kernel = await makeSystemImage('NormalWorldKernel', {}, { fields: { abiDepends: depends } });
    const id = await stage(device, kernel);
    await expect(device.call('commit', [id], [])).rejects.toMatchObject({ code: 'AbiNotProvided' });
    const monitor = await makeSystemImage('SecurityMonitor', {}, { fields: { abiProvides: depends } });
    expect(await device.call('commit', [id, await stage(device, monitor)], [])).toEqual({
      restartRequired: true,
    });
    await device.board.powerOff();
  });

  it('that fails does not bring back an image below the fused counter', async () => {
    const device = await newDevice();
    const options = { version: '2.0.0', securityVersion: 4, kernel: FAILING_KERNEL };
    await device.call(
      'commit',
      [await stage(device, await makeSystemImage('NormalWorldKernel', options))],
      [],
    );
    // Whoever raised it: what the fuses say holds for every attempt, the fallback included.
    device.chip.fuses.raiseSecurityVersion('NormalWorldKernel', 4);
    await device.call('restart').catch(() => {});
    expect(await settled(device)).toBe('stopped');
    const { bootLog } = device.board;
    const fallback = bootLog.slice(bootLog.findIndex((line) => line.includes('booting the fallback')));
    expect(fallback.join('\n')).toContain('NormalWorldKernel slot A refused: SecurityVersionTooLow');
    expect(fallback.join('\n')).not.toContain('kernel 1.0.0');
    await device.board.powerOff();
  });

  it('never goes back to an older keystore, whose list of revoked images is shorter', async () => {
    const device = await newDevice();
    const old = await makeSystemImage('TrustedKeystore', { keystoreVersion: 2 });
    const revoked = await makeSystemImage('NormalWorldKernel', { version: '0.9.0' });
    await update(device, [
      await makeSystemImage('TrustedKeystore', { keystoreVersion: 3, revoked: [revocationOf(revoked)] }),
    ]);
    await device.call('confirmHealthy');
    await expect(stage(device, revoked)).rejects.toMatchObject({ code: 'RevokedImage' });
    await expect(stage(device, old)).rejects.toMatchObject({ code: 'SecurityVersionTooLow' });
    await device.board.powerOff();
  });

  it('is refused while another is on trial or waits for its restart', async () => {
    const device = await newDevice();
    const id = await stage(device, await makeSystemImage('Services', { version: '2.0.0' }));
    const app = await stage(device, makeApp('blink'));
    await device.call('commit', [id], []);
    await expect(device.call('commit', [app], [])).rejects.toMatchObject({ code: 'RestartRequired' });
    await device.call('restart').catch(() => {});
    await settled(device);
    const other = await makeSystemImage('Services', { version: '3.0.0' });
    await expect(stage(device, other)).rejects.toMatchObject({ code: 'TrialInProgress' });
    await device.call('confirmHealthy');
    await stage(device, other);
    await device.board.powerOff();
  });

  it.each(['thread', 'process'] as const)('works by %s as well', async (wiring) => {
    const device = await newDevice(wiring);
    const ids = [await stage(device, await makeSystemImage('Services', { version: '2.0.0' }))];
    await device.call('commit', ids, []);
    const reset = new Promise<string>((resolve) => device.board.onReset(resolve));
    await device.call('restart').catch(() => {});
    expect(await reset).toBe('Restart');
    expect(await activeNames(device)).toMatchObject({ Services: 'services 2.0.0' });
    await device.call('confirmHealthy');
    await device.board.powerOff();
  });
});
