import {
  CHIP_SKUS,
  FLASH_MAP,
  FLASH_SECTOR,
  IMAGE_TYPES,
  SYSTEM_IMAGE_TYPES,
  crc32,
  toHex,
  viewOf,
} from '@sevenfold/formats';
import {
  buildOsRelease,
  createVirtualClock,
  runDevice,
  runOnVirtualTime,
  type DeviceStatus,
  type OsRelease,
  type VirtualClock,
  type VirtualDevice,
} from '@sevenfold/device';
import { memoryFlash, memoryFuses, openChip, provisionFlash, systemEntropy } from '@sevenfold/silicon';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeSigner } from '../packages/device/src/testing/packages.ts';
import {
  problem,
  startDeviceService,
  type TestDeviceService,
} from '../packages/os/src/services/testing/device-service.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Real TLS judges the service by this time, too. */
const NOW = Date.now();

let service: TestDeviceService;
let release: OsRelease;
let next: OsRelease;

beforeAll(async () => {
  service = await startDeviceService(NOW);
  const root = makeSigner();
  const platform = makeSigner();
  const options = {
    root,
    platform,
    keystore: {
      version: 1,
      keys: [
        { spki: platform.spki, uses: SYSTEM_IMAGE_TYPES.map((type) => `image:${type}`) },
        { spki: service.planKey.spki, uses: ['plan'] },
      ],
    },
    certStore: service.certStore,
  };
  release = await buildOsRelease({ ...options, version: '26.11.0' });
  next = await buildOsRelease({ ...options, version: '26.12.0' });
});
afterAll(() => service.close());

type Bits = { flash: ReturnType<typeof memoryFlash>; fuses: ReturnType<typeof memoryFuses> };

function factory(): Bits {
  const bits = { flash: memoryFlash(), fuses: memoryFuses() };
  const chip = openChip({ ...bits, entropy: systemEntropy() });
  chip.powerOn();
  const { attestationSpki } = chip.manufacture({
    chipSku: CHIP_SKUS['SF-V1'],
    rootKeyHash: release.rootKeyHash,
  });
  provisionFlash(chip.flash, release.images);
  chip.setManufacturingState('DeviceComplete');
  service.endorse(attestationSpki);
  return bits;
}

const open: VirtualDevice[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});
beforeEach(() => {
  service.now = NOW;
  service.behaviour.instead = () => null;
  service.behaviour.images = [];
  service.behaviour.attestNextCheck = 50_000;
});

/** Puts what one flash holds in mutable storage into another one, as somebody with a programmer would. */
function transplant(from: Bits['flash'], to: Bits['flash'], change = (bytes: Uint8Array) => bytes): void {
  const { offset, length } = FLASH_MAP.mutable;
  for (let at = offset; at < offset + length; at += FLASH_SECTOR)
    to.write(at, change(from.read(at, FLASH_SECTOR)));
}

/** The whole board with these bits, off, its clock at `time`. */
function board(bits: Bits, time: number): { device: VirtualDevice; clock: VirtualClock } {
  const clock = createVirtualClock({ start: time });
  const chip = openChip({ ...bits, entropy: systemEntropy() });
  const device = runDevice(chip, chip.identity(), {
    wiring: 'inline',
    clock,
    // Whether a server's certificate is valid is asked of the world's time: the device's own may be wrong.
    network: { resolve: () => '127.0.0.1', now: () => service.now },
  });
  open.push(device);
  return { device, clock };
}

/** Boots at `time` and tells the status at once, before anybody could be asked; then goes on until `until` holds. */
async function boot(
  bits: Bits,
  time: number,
  until: (status: DeviceStatus) => boolean = () => true,
): Promise<{
  first: DeviceStatus;
  last: DeviceStatus;
  log: readonly string[];
  device: VirtualDevice;
}> {
  const { device, clock } = board(bits, time);
  const outcome = await runOnVirtualTime(clock, device.boot());
  expect(outcome, device.bootLog.join('\n')).toMatchObject({ kind: 'running' });
  const first = await device.status();
  let last = first;
  for (let turn = 0; turn < 200 && !until(last); turn++) {
    await runOnVirtualTime(clock, clock.sleep(1000));
    last = await device.status();
  }
  expect(until(last), device.bootLog.slice(-12).join('\n')).toBe(true);
  return { first, last, log: device.bootLog, device };
}

const isIdle = ({ phase }: DeviceStatus): boolean => phase === 'idle';
const isOffline = ({ phase }: DeviceStatus): boolean => phase === 'offline';
const serviceDown = (): void => {
  service.behaviour.instead = () => 'cut';
};
const leafOf = ({ clientChain }: DeviceStatus): string => toHex(clientChain[0] ?? new Uint8Array(0));

/** A device that has attested once and then lost its power. */
async function attestedDevice(): Promise<{ bits: Bits; leaf: string }> {
  const bits = factory();
  const { last, device } = await boot(bits, NOW, isIdle);
  expect(last.clientChain.length).toBe(2);
  await device.powerOff();
  return { bits, leaf: leafOf(last) };
}

describe('a device that was switched off', () => {
  it('has its certificates as soon as it runs again, though nobody can be reached, until they end', async () => {
    const { bits, leaf } = await attestedDevice();
    serviceDown();
    const hours = await boot(bits, NOW + 10 * HOUR, isOffline);
    expect(leafOf(hours.first)).toBe(leaf);
    expect(leafOf(hours.last)).toBe(leaf);
    expect(hours.first).toMatchObject({ verdict: 'trusted', tenantId: service.tenantId });
    await hours.device.powerOff();
    const ended = await boot(bits, NOW + 25 * HOUR, isOffline);
    expect([ended.first.clientChain, ended.last.clientChain]).toEqual([[], []]);
    expect(ended.log.join('\n')).toContain('the kept certificates are of no use: CertificateEnded');
  });

  it('goes on with them: plans and reports need no new attestation before two thirds of their life', async () => {
    const { bits, leaf } = await attestedDevice();
    const before = service.received.attestations;
    service.now = NOW + 2 * HOUR;
    const early = await boot(bits, NOW + 2 * HOUR, isIdle);
    expect(leafOf(early.last)).toBe(leaf);
    expect(service.received.attestations).toBe(before);
    await early.device.powerOff();
    service.now = NOW + 17 * HOUR;
    const late = await boot(bits, NOW + 17 * HOUR, (status) => isIdle(status) && leafOf(status) !== leaf);
    expect(leafOf(late.first)).toBe(leaf);
    expect(service.received.attestations).toBe(before + 1);
  });

  it.each([
    ['that stood still for ten hours', NOW + 1000, 10 * HOUR, true],
    ['that forgot the year', 0, 10 * HOUR, true],
    ['that ran ahead by years', NOW + 20_000 * HOUR, 10 * HOUR, false],
    ['that stood still for months in a drawer', NOW + 1000, 2400 * HOUR, true],
  ])(
    'and has a clock %s, ends with the time and the certificates of now',
    async (_what, clock, passed, has) => {
      const { bits, leaf } = await attestedDevice();
      service.now = NOW + passed;
      // The service takes no certificate that has ended.
      service.behaviour.instead = (path) =>
        path.endsWith('/plan') && passed > 24 * HOUR && service.received.attestations === before
          ? problem(401, 'UpdateCertificateNeeded', 'Attest first.')
          : null;
      const before = service.received.attestations;
      const { first, last } = await boot(
        bits,
        clock,
        (status) => isIdle(status) && status.lastError === null,
      );
      expect(leafOf(first) === leaf).toBe(has);
      expect(last.clientChain.length).toBe(2);
      // Its next appointment, on its own clock, lies in the world's next day.
      expect(last.nextCheck).toBeGreaterThan(service.now);
      expect(last.nextCheck).toBeLessThan(service.now + 25 * HOUR);
      expect(service.received.attestations - before).toBeLessThanOrEqual(1);
      if (passed > 24 * HOUR || clock === 0) expect(leafOf(last)).not.toBe(leaf);
    },
  );
});

describe('kept certificates', () => {
  /** Publishes the next release's services; gives the image's name. */
  const publishNext = (): string => {
    const services = next.images.find(({ type }) => type === 'Services');
    if (services === undefined) throw new Error('There are no services in the next release.');
    const { imageId, componentId, digest, name, package: bytes } = services;
    service.blobs.set(imageId, bytes);
    const imageType = IMAGE_TYPES.Services;
    service.behaviour.images = [{ imageType, imageId, componentId, digest, size: bytes.length, name }];
    return name;
  };

  it('are nothing to another OS: it attests anew', async () => {
    const { bits, leaf } = await attestedDevice();
    const kept = bits.flash.copy();
    const name = publishNext();
    const before = service.received.attestations;
    const updated = await boot(
      bits,
      NOW + HOUR,
      (status) =>
        isIdle(status) && status.images.some((image) => image.name === name && image.state === 'active'),
    );
    expect(updated.log.join('\n')).toContain('restarting into the new OS');
    expect(service.received.attestations).toBe(before + 1);
    expect(leafOf(updated.last)).not.toBe(leaf);
    await updated.device.powerOff();

    // What the old OS kept, put back into flash beside the new one, opens nothing.
    transplant(kept, bits.flash);
    serviceDown();
    const cheated = await boot(bits, NOW + 2 * HOUR, isOffline);
    expect(cheated.last).toMatchObject({ verdict: null, clientChain: [], updateChain: [] });
  });

  it('are gone for the OS that a failed trial falls back to: it attests anew as well', async () => {
    const { bits } = await attestedDevice();
    publishNext();
    const { device, clock } = board(bits, NOW + HOUR);
    // The new OS never reaches its service.
    device.onReset(serviceDown);
    await runOnVirtualTime(clock, device.boot());
    await runOnVirtualTime(clock, clock.sleep(4 * HOUR));
    expect(device.bootLog.join('\n')).toContain('left for good');
    const fallen = await device.status();
    expect(fallen).toMatchObject({ phase: 'offline', verdict: null, clientChain: [], updateChain: [] });
    service.behaviour.instead = () => null;
    service.behaviour.images = [];
    service.now = NOW + 5 * HOUR;
    const before = service.received.attestations;
    expect((await runOnVirtualTime(clock, device.checkNow())).clientChain).toHaveLength(2);
    expect(service.received.attestations).toBe(before + 1);
  });

  it('are nothing to another chip, and nothing once a bit of them has changed', async () => {
    const { bits } = await attestedDevice();
    serviceDown();
    const other = factory();
    transplant(bits.flash, other.flash);
    expect((await boot(other, NOW, isOffline)).last.clientChain).toEqual([]);
    // With its checksum made right again, so that it is Pluton who must find out.
    for (const at of [30, 60, 90, 120, 400, 900]) {
      const changed = { flash: bits.flash.copy(), fuses: bits.fuses.copy() };
      let seen = 0;
      transplant(bits.flash, changed.flash, (bytes) => {
        const length = viewOf(bytes).getUint32(16, true);
        if (bytes[0] === 0xff || length > 4048 || length <= at) return bytes;
        seen += 1;
        const part = bytes.map((byte, index) => (index === 48 + at ? byte ^ 1 : byte));
        viewOf(part).setUint32(4, crc32(part.subarray(8, 48 + length)), true);
        return part;
      });
      expect(seen).toBe(1);
      expect((await boot(changed, NOW, isOffline)).last, `byte ${at}`).toMatchObject({
        verdict: null,
        clientChain: [],
      });
    }
    expect((await boot(bits, NOW, isOffline)).last.clientChain).toHaveLength(2);
  });

  it('have no private key beside them in flash', async () => {
    const { bits } = await attestedDevice();
    const flash = Buffer.from(bits.flash.read(0, 16 * 1024 * 1024));
    // PKCS#8 and SEC 1 of P-256 begin so; none of the device's own keys may lie there in any form.
    for (const start of ['308187020100301306072a8648ce3d0201', '30770201010420', '30310201010420']) {
      expect(flash.indexOf(Buffer.from(start, 'hex'))).toBe(-1);
    }
  });

  it('are the old or the new ones, whole, wherever power goes while they are replaced', async () => {
    const { bits: base, leaf } = await attestedDevice();
    const renewal = NOW + 17 * HOUR;
    /** Renews on a copy of the device, with a fault plan; gives what is left and how many operations there were. */
    const renew = async (faults: Parameters<VirtualDevice['chip']['power']['layPlan']>[0]) => {
      service.behaviour.instead = () => null;
      service.now = renewal;
      const bits = { flash: base.flash.copy(), fuses: base.fuses.copy() };
      const { device, clock } = board(bits, renewal);
      await runOnVirtualTime(clock, device.boot());
      device.chip.power.layPlan(faults);
      await runOnVirtualTime(clock, device.checkNow()).catch(() => {});
      const { operations } = device.chip.power;
      await device.close();
      return { bits, operations };
    };
    /** Which certificates a device has after that, without a service. */
    const left = async (bits: Bits, what: string): Promise<'old' | 'new'> => {
      serviceDown();
      const { last, device } = await boot(bits, renewal + HOUR, isOffline);
      expect(last.clientChain, what).toHaveLength(2);
      await device.close();
      return leafOf(last) === leaf ? 'old' : 'new';
    };
    const { bits: uncut, operations } = await renew([]);
    expect(await left(uncut, 'no cut')).toBe('new');
    const counts = { old: 0, new: 0 };
    // An erase and a program per page: how many pages depends on how long the signatures came out in DER, each time
    // anew. So which cut is the last before the new ones count differs, and one may come after all is done.
    for (let at = 0; at < operations; at++) {
      for (const kind of ['clean', 'torn'] as const) {
        const { bits } = await renew([{ at, kind, seed: at + 1 }]);
        const which = await left(bits, `${kind} cut at ${at}`);
        // Before anything was written there is nothing new.
        if (at === 0) expect(which).toBe('old');
        counts[which] += 1;
      }
    }
    console.log(
      `kept certificates: a power cut at each of ${operations} operations, left: ${JSON.stringify(counts)}`,
    );
  });
});
