import { describe, expect, it } from 'vitest';
import {
  APP_MANIFEST_PATH,
  CAPABILITY_COMPONENT_ID,
  TEMPORARY_FLAGS,
  decodePsaClaims,
  decodeSign1,
  equalBytes,
  utf8Encode,
} from '@sevenfold/formats';
import { ECHO_ELF } from '../kernel/testing/echo-app.ts';
import { capabilityFile } from './testing/capability.fixture.ts';
import { copyBits, makeDevice, manufactureBits, stage, type TestDevice } from './testing/device.fixture.ts';
import {
  APP_COMPONENT,
  keys,
  makeApp,
  makeImage,
  makeRelease,
  makeSystemImage,
  sha256,
} from './testing/release.fixture.ts';

const factory = makeRelease().then(manufactureBits);

async function bootedDevice(): Promise<TestDevice & { readonly deviceId: string }> {
  const device = makeDevice(copyBits(await factory));
  await device.board.powerOn();
  const { deviceId } = (await device.call('identity')) as { readonly deviceId: string };
  return { ...device, deviceId };
}

async function unlock(device: TestDevice, file: Uint8Array | null): Promise<void> {
  await device.call('mutableWrite', CAPABILITY_COMPONENT_ID, file);
  await device.board.powerOff();
  await device.board.powerOn();
}

const capabilitiesOf = async (device: TestDevice): Promise<readonly string[]> =>
  ((await device.call('bootInfo')) as { readonly capabilities: readonly string[] }).capabilities;

/** What an attestation token of this boot says was measured. */
async function componentsOf(device: TestDevice) {
  const token = (await device.call('attest', new Uint8Array(32))) as Uint8Array;
  return decodePsaClaims(decodeSign1(token).payload).softwareComponents;
}

describe('a capability of a device', () => {
  it('is in force from the next boot on, measured before anything that runs, until it is removed', async () => {
    const device = await bootedDevice();
    const file = capabilityFile(device.deviceId, ['fieldServicing']);
    await device.call('mutableWrite', CAPABILITY_COMPONENT_ID, file);
    expect(await capabilitiesOf(device)).toEqual([]);
    await device.board.powerOff();
    await device.board.powerOn();
    expect(await capabilitiesOf(device)).toEqual(['fieldServicing']);
    const components = await componentsOf(device);
    const index = components.findIndex(({ measurementType }) => measurementType === 'Policy');
    expect(components[index]).toMatchObject({ version: 'capability fieldServicing;sv=0' });
    expect(equalBytes(components[index]?.measurementValue ?? file, sha256(file))).toBe(true);
    expect(equalBytes(components[index]?.signerId ?? file, sha256(keys.service.spki))).toBe(true);
    expect(index).toBeLessThan(
      components.findIndex(({ measurementType }) => measurementType === 'NormalWorldKernel'),
    );
    await unlock(device, null);
    expect(await capabilitiesOf(device)).toEqual([]);
    expect((await componentsOf(device)).some(({ measurementType }) => measurementType === 'Policy')).toBe(
      false,
    );
    await device.board.powerOff();
  });

  it('of another device is refused, and so is one that nobody signed who may', async () => {
    const device = await bootedDevice();
    const other = 'ab'.repeat(32);
    const own = capabilityFile(device.deviceId, ['appDevelopment']);
    const changed = Uint8Array.from(own);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    for (const [file, code] of [
      [capabilityFile(other, ['appDevelopment']), 'CapabilityRefused'],
      [capabilityFile(device.deviceId, ['appDevelopment'], keys.stranger), 'CapabilityRefused'],
      [capabilityFile(device.deviceId, ['appDevelopment'], keys.platform), 'CapabilityRefused'],
      [changed, 'CapabilityRefused'],
      [own.subarray(0, 40), 'CborTruncated'],
    ] as const) {
      await expect(device.call('mutableWrite', CAPABILITY_COMPONENT_ID, file)).rejects.toMatchObject({
        code,
      });
    }
    await device.board.powerOff();
    await device.board.powerOn();
    expect(await capabilitiesOf(device)).toEqual([]);
    await device.board.powerOff();
  });

  it('of another device that was written into flash enables nothing', async () => {
    const first = makeDevice(copyBits(await factory));
    await first.board.powerOn();
    const { deviceId } = (await first.call('identity')) as { readonly deviceId: string };
    await unlock(first, capabilityFile(deviceId, ['appDevelopment']));
    expect(await capabilitiesOf(first)).toEqual(['appDevelopment']);
    await first.board.powerOff();
    // A chip of its own, with all of the first one's flash.
    first.chip.powerOn();
    const other = manufactureBits(await makeRelease(), {}, 'another factory');
    const flash = first.chip.flash.read(0, first.chip.flash.size);
    for (let at = 0; at < flash.length; at += 4096) other.flash.write(at, flash.subarray(at, at + 4096));
    const second = makeDevice(other);
    await second.board.powerOn();
    expect(await capabilitiesOf(second)).toEqual([]);
    expect(second.board.bootLog.join('\n')).toContain('[MONITOR] capability refused: CapabilityRefused');
    await second.board.powerOff();
  });

  it('cannot be put in force by a kernel, nor come into force after everything was measured', async () => {
    const device = await bootedDevice();
    await expect(
      device.call('openCapability', capabilityFile(device.deviceId, ['appDevelopment']), true),
    ).rejects.toMatchObject({ code: 'UnknownCall' });
    expect(await device.call('mutableRead', CAPABILITY_COMPONENT_ID)).toBeNull();
    await device.board.powerOff();
  });
});

describe('appDevelopment', () => {
  const app = makeApp('mine', 500, {
    signer: keys.developer,
    fields: { temporaryFlags: TEMPORARY_FLAGS.underDevelopment },
  });

  it('opens the debug port of a core to what is started from then on; without it that is closed', async () => {
    const device = await bootedDevice();
    const manifest = { ApplicationType: 'RealTimeCapable', EntryPoint: '/bin/app', Capabilities: {} };
    const program = makeImage('Applications', 'echo', [
      { path: APP_MANIFEST_PATH, bytes: utf8Encode(JSON.stringify(manifest)) },
      { path: '/bin/app', bytes: ECHO_ELF, executable: true },
    ]);
    await device.call('commit', [await stage(device, program)], []);
    const open = () =>
      device.chip.realTimeCores[0]?.debug(
        () => {},
        () => {},
      );
    for (const capabilities of [[], ['fieldServicing']] as const) {
      if (capabilities.length > 0) await unlock(device, capabilityFile(device.deviceId, capabilities));
      expect(await device.call('realTimeApp', APP_COMPONENT, 'start')).toMatchObject({ state: 'running' });
      expect(open).toThrow(expect.objectContaining({ code: 'DebugLocked' }) as Error);
    }
    await unlock(device, capabilityFile(device.deviceId, ['appDevelopment']));
    expect(open).toThrow(expect.objectContaining({ code: 'DebugLocked' }) as Error);
    await device.call('realTimeApp', APP_COMPONENT, 'start');
    open()?.end();
    await device.board.powerOff();
  });

  it('lets apps run that are signed for development; without it they neither install nor start', async () => {
    const device = await bootedDevice();
    await expect(stage(device, app)).rejects.toMatchObject({ code: 'UnknownSigner' });
    await unlock(device, capabilityFile(device.deviceId, ['fieldServicing']));
    await expect(stage(device, app)).rejects.toMatchObject({ code: 'UnknownSigner' });
    await unlock(device, capabilityFile(device.deviceId, ['appDevelopment']));
    await device.call('commit', [await stage(device, app)], []);
    expect(await device.call('loadApplication', APP_COMPONENT)).toEqual(app);
    await unlock(device, null);
    await expect(device.call('loadApplication', APP_COMPONENT)).rejects.toMatchObject({
      code: 'UnknownSigner',
    });
    await device.board.powerOff();
  });

  it('lets no image of the system be signed for development', async () => {
    const device = await bootedDevice();
    await unlock(device, capabilityFile(device.deviceId, ['appDevelopment']));
    const services = await makeSystemImage('Services', {}, { signer: keys.developer });
    await expect(stage(device, services)).rejects.toMatchObject({ code: 'UnknownSigner' });
    await device.board.powerOff();
  });
});
