import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FLASH_MAP, SLOT_PACKAGE_OFFSET, SYSTEM_IMAGE_TYPES, type ChipSkuName } from '@sevenfold/formats';
import {
  ButtonModel,
  I2cEepromModel,
  SpiEepromModel,
  fileRtc,
  systemEntropy,
  type BoardDescription,
} from '@sevenfold/silicon';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { virtualBoard } from './boards.ts';
import { CHIP_FILES } from './chip-folder.ts';
import { openDevice, runDevice, type VirtualDevice } from './device.ts';
import { manufacture, manufactureInMemory } from './manufacture.ts';
import { buildOsRelease, type OsRelease } from './os-release.ts';
import { makeSigner } from './testing/packages.ts';
import { createVirtualClock, runOnVirtualTime } from './virtual-clock.ts';

let dir = '';
let release: OsRelease;
let deviceId = '';
/** A world without the service: its name does not resolve. */
const network = { resolve: () => null };

function buildRelease(chipSku: ChipSkuName): Promise<OsRelease> {
  const root = makeSigner();
  const platform = makeSigner();
  return buildOsRelease({
    version: '26.11.0',
    chipSku,
    root,
    platform,
    keystore: {
      version: 1,
      keys: [{ spki: platform.spki, uses: [...SYSTEM_IMAGE_TYPES.map((type) => `image:${type}`), 'plan'] }],
    },
    certStore: {
      endpoints: [{ host: 'devices.example', port: 7443, serverName: 'devices.example' }],
      tlsRoots: [Uint8Array.of(0x30, 0)],
    },
  });
}

beforeAll(async () => {
  release = await buildRelease('SF-V1');
  dir = await mkdtemp(join(tmpdir(), 'sevenfold-device-'));
  deviceId = (await manufacture({ dir, images: release.images, rootKeyHash: release.rootKeyHash })).deviceId;
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function expectOffline(device: VirtualDevice): Promise<void> {
  const status = await device.checkNow();
  expect(status).toMatchObject({ deviceId, osVersion: '26.11.0', phase: 'offline', verdict: null, apps: [] });
  expect(status.lastError).toContain('NameNotResolved');
  const active = status.images.filter(({ state }) => state === 'active');
  expect(active.map(({ imageId }) => imageId).toSorted()).toEqual(
    release.images.map(({ imageId }) => imageId).toSorted(),
  );
}

describe('a virtual device with a real OS release', () => {
  it('begins with the time that its battery kept over years in a drawer, on a board with its parts', async () => {
    const set = Date.UTC(2031, 4, 5);
    const clock = createVirtualClock();
    const battery = fileRtc(join(dir, CHIP_FILES.rtc));
    battery.write(set - clock.now());
    battery.close();
    await clock.advance(3 * 365 * 86_400_000);
    const device = await openDevice({ dir, wiring: 'inline', clock, network, board: await virtualBoard() });
    try {
      await runOnVirtualTime(clock, device.boot());
      expect(device.bootLog).toContain('[KERNEL] the time is that of the real-time clock');
      expect(device.chip.rtc.time).toBeGreaterThanOrEqual(set + 3 * 365 * 86_400_000);
      expect(device.parts.get('BUTTON_A')).toBeInstanceOf(ButtonModel);
      // The button's resistor holds its pin up.
      expect(device.pinLevel(12)).toBe(1);
    } finally {
      await device.close();
      await rm(join(dir, CHIP_FILES.rtc));
    }
  });

  it('keeps what an EEPROM of its board holds in its folder, page by page', async () => {
    const part = { isu: 0, address: 0x50 } as const;
    const board: BoardDescription = {
      name: 'two memories',
      parts: [
        { name: 'I2C_MEMORY', model: 'I2cEeprom', ...part },
        { name: 'SPI_MEMORY', model: 'SpiEeprom', isu: 1, chipSelect: 0 },
      ],
    };
    const open = async () => {
      const clock = createVirtualClock();
      const device = await openDevice({ dir, wiring: 'inline', clock, network, board });
      const [i2c, spi] = ['I2C_MEMORY', 'SPI_MEMORY'].map((name) => device.parts.get(name));
      if (!(i2c instanceof I2cEepromModel && spi instanceof SpiEepromModel)) throw new Error('no memories');
      return { device, i2c, spi };
    };
    const first = await open();
    expect(first.i2c.content.every((byte) => byte === 0xff)).toBe(true);
    first.i2c.start('write');
    // From the last byte of its second page on: it goes round to the first of it.
    for (const byte of [0, 127, 1, 2]) first.i2c.write(byte);
    first.i2c.stop();
    for (const bytes of [[0x06], [0x02, 0, 3, 9]]) {
      first.spi.select();
      for (const byte of bytes) first.spi.exchange(byte);
      first.spi.deselect();
    }
    await first.device.close();
    const second = await open();
    try {
      expect([second.i2c.content[127], second.i2c.content[64], second.i2c.content[128]]).toEqual([
        1, 2, 0xff,
      ]);
      expect(second.spi.content[3]).toBe(9);
    } finally {
      await second.device.close();
    }
  });

  it('boots inline, on virtual time, to running services', async () => {
    const clock = createVirtualClock();
    const device = await openDevice({ dir, wiring: 'inline', clock, network });
    try {
      const outcome = await runOnVirtualTime(clock, device.boot());
      expect(outcome, device.bootLog.join('\n')).toMatchObject({ kind: 'running', config: 'current' });
      expect(device.bootLog.join('\n')).toMatch(
        /^\[ROM\] PlutonRuntime slot A verified: pluton 26\.11\.0 \([0-9a-f]{8}…\)/m,
      );
      await runOnVirtualTime(clock, expectOffline(device));
      const before = clock.monotonic();
      await runOnVirtualTime(clock, clock.sleep(3_600_000));
      expect(clock.monotonic() - before).toBe(3_600_000);
      expect(device.state).toBe('running');
    } finally {
      await device.close();
    }
  });

  it.each(['thread', 'process'] as const)('boots by %s, on the host’s time', async (wiring) => {
    const device = await openDevice({ dir, wiring, network });
    try {
      const start = performance.now();
      const outcome = await device.boot();
      const booted = performance.now() - start;
      expect(outcome, device.bootLog.join('\n')).toMatchObject({ kind: 'running' });
      await expectOffline(device);
      process.stdout.write(`cold boot by ${wiring} to running services: ${booted.toFixed(0)} ms\n`);
      await device.powerOff();
      expect(device.state).toBe('off');
      await expect(device.status()).rejects.toMatchObject({ code: 'DeviceNotRunning' });
      expect(await device.boot()).toMatchObject({ kind: 'running' });
      await expectOffline(device);
    } finally {
      await device.close();
    }
  });

  it('whose noise source dies says so to whoever asks, makes no key, and recovers with the next reset', async () => {
    let isDead = false;
    const noise = systemEntropy();
    const entropy = {
      random: (length: number) => (isDead ? new Uint8Array(length) : noise.random(length)),
    };
    const clock = createVirtualClock();
    const device = await openDevice({ dir, wiring: 'inline', clock, network, entropy });
    try {
      isDead = true;
      await runOnVirtualTime(clock, device.boot());
      for (let round = 0; round < 2; round++) {
        const status = await runOnVirtualTime(clock, device.checkNow());
        expect(status).toMatchObject({ phase: 'offline', updateChain: [] });
        expect(status.lastError).toMatch(/^EntropyFailure: The noise source .* until reset/);
      }
      isDead = false;
      expect((await runOnVirtualTime(clock, device.checkNow())).lastError).toContain('has failed before');
      await device.powerOff();
      await runOnVirtualTime(clock, device.boot());
      await runOnVirtualTime(clock, expectOffline(device));
    } finally {
      await device.close();
    }
  });

  it('is open in one place at a time', async () => {
    const device = await openDevice({ dir, wiring: 'inline', network });
    await expect(openDevice({ dir, wiring: 'inline', network })).rejects.toMatchObject({ code: 'ChipInUse' });
    await device.close();
    await (await openDevice({ dir, wiring: 'inline', network })).close();
  });

  it('boots the other copy of a stage whose bits have flipped, and reports it', async () => {
    const clock = createVirtualClock();
    const { chip, info } = manufactureInMemory({ images: release.images, rootKeyHash: release.rootKeyHash });
    const device = runDevice(chip, info, { wiring: 'inline', clock, network });
    try {
      chip.powerOn();
      const { offset } = FLASH_MAP.system.NormalWorldKernel.A;
      const at = offset + SLOT_PACKAGE_OFFSET + 5000;
      chip.flash.program(
        at,
        chip.flash.read(at, 16).map((byte) => byte & 0x0f),
      );
      chip.powerOff();
      const outcome = await runOnVirtualTime(clock, device.boot());
      expect(outcome, device.bootLog.join('\n')).toMatchObject({ kind: 'running' });
      expect(device.bootLog.join('\n')).toMatch(/\[MONITOR\] NormalWorldKernel slot A refused: BadSignature/);
      const status = await runOnVirtualTime(clock, device.status());
      expect(status.queuedReports).toBe(1);
    } finally {
      await device.close();
    }
  });

  it('of the larger chip runs the release for that chip, and no other', async () => {
    const own = await buildRelease('SF-V1L');
    for (const [built, kind] of [
      [own, 'running'],
      [release, 'stopped'],
    ] as const) {
      const { images, rootKeyHash } = built;
      const { chip, info } = manufactureInMemory({ sku: 'SF-V1L', images, rootKeyHash });
      const clock = createVirtualClock();
      const device = runDevice(chip, info, { wiring: 'inline', clock, network });
      try {
        const outcome = await runOnVirtualTime(clock, device.boot());
        expect(outcome, device.bootLog.join('\n')).toMatchObject({ kind });
      } finally {
        await device.close();
      }
    }
  });
});
