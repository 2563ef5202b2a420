import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FLASH_MAP, FLASH_SIZE, SLOT_PACKAGE_OFFSET, SYSTEM_IMAGE_TYPES, toHex } from '@sevenfold/formats';
import { fileFlash, fileFuses, openChip, systemEntropy } from '@sevenfold/silicon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readChipFacts } from './chip-facts.ts';
import { readChipInfo } from './chip-folder.ts';
import { lockChip } from './chip-lock.ts';
import { openDevice } from './device.ts';
import { manufacture } from './manufacture.ts';
import { emptySystemImages } from './testing/packages.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sevenfold-chip-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const images = emptySystemImages();
const rootKeyHash = new Uint8Array(32).fill(9);
const open = () =>
  openChip({
    flash: fileFlash(join(dir, 'flash.bin')),
    fuses: fileFuses(join(dir, 'fuses.bin')),
    entropy: systemEntropy(),
  });

describe('manufacture', () => {
  it('makes a chip with an identity of its own, the OS in flash and nothing else', async () => {
    const info = await manufacture({ dir, images, rootKeyHash });
    expect(info.deviceId).toMatch(/^[0-9a-f]{64}$/);
    expect(await readChipInfo(dir)).toEqual(info);
    const chip = open();
    expect(chip.identity()).toEqual({ deviceId: info.deviceId, attestationSpki: info.attestationSpki });
    expect(chip.fuses.manufacturingState).toBe('DeviceComplete');
    expect(chip.fuses.rootKeyHash).toEqual(rootKeyHash);
    const flash = chip.flash.read(0, FLASH_SIZE);
    const isBlank = (offset: number, length: number): boolean =>
      flash.subarray(offset, offset + length).every((byte) => byte === 0xff);
    expect(isBlank(FLASH_MAP.applications.offset, FLASH_MAP.applications.length)).toBe(true);
    expect(isBlank(FLASH_MAP.records.offset, FLASH_MAP.records.length)).toBe(true);
    expect(isBlank(FLASH_MAP.mutable.offset, FLASH_MAP.mutable.length)).toBe(true);
    for (const [index, type] of SYSTEM_IMAGE_TYPES.entries()) {
      const bytes = images[index]?.package ?? new Uint8Array();
      const start = FLASH_MAP.system[type].A.offset + SLOT_PACKAGE_OFFSET;
      expect(flash.slice(start, start + bytes.length)).toEqual(bytes);
    }
    chip.close();
  });

  it('tells of a chip what anybody may know, and no seed', async () => {
    const { deviceId } = await manufacture({ dir, images, rootKeyHash });
    const facts = await readChipFacts(dir);
    expect(facts).toMatchObject({
      deviceId,
      sku: 'SF-V1',
      manufacturingState: 'DeviceComplete',
      rootKeyHash: toHex(rootKeyHash),
      locked: ['chipSku', 'rootKeyHash', 'identitySeed'],
      needsSecondSignature: false,
      servicePort: ['readIdentity', 'recover'],
    });
    const chip = open();
    const seed = toHex(chip.fuses.identitySeed ?? new Uint8Array(0));
    expect(seed).toHaveLength(64);
    expect(JSON.stringify(facts)).not.toContain(seed);
    chip.close();
    await expect(readChipFacts(join(dir, 'nowhere'))).rejects.toMatchObject({ code: 'ChipNotFound' });
  });

  it('lets nobody write flash at the service port of a finished chip', async () => {
    await manufacture({ dir, images, rootKeyHash });
    const chip = open();
    expect(() => chip.servicePort.require('writeFlash')).toThrow(
      expect.objectContaining({ code: 'ServicePortClosed' }),
    );
    chip.close();
  });

  it('keeps its files to its owner', async () => {
    await manufacture({ dir: join(dir, 'chip'), images, rootKeyHash });
    for (const name of ['chip.json', 'fuses.bin', 'flash.bin']) {
      expect((await stat(join(dir, 'chip', name))).mode & 0o777).toBe(0o600);
    }
  });

  it('makes no chip twice over', async () => {
    const { deviceId } = await manufacture({ dir, images, rootKeyHash });
    await expect(manufacture({ dir, images, rootKeyHash })).rejects.toMatchObject({
      code: 'ChipExists',
      message: expect.stringContaining(deviceId),
    });
  });

  it('begins anew where it was cut', async () => {
    let left = 1;
    const failing = {
      random(length: number): Uint8Array {
        if (left-- <= 0) throw new Error('the power went');
        return systemEntropy().random(length);
      },
    };
    await expect(manufacture({ dir, images, rootKeyHash, entropy: failing })).rejects.toThrow();
    expect(await readChipInfo(dir)).toBe('unfinished');
    await expect(openDevice({ dir, wiring: 'inline' })).rejects.toMatchObject({ code: 'ChipUnfinished' });
    // Later, with the identity made already and the flash half written.
    await expect(manufacture({ dir, images: images.slice(1), rootKeyHash })).rejects.toThrow();
    expect(await readChipInfo(dir)).toBe('unfinished');
    const info = await manufacture({ dir, images, rootKeyHash });
    expect(await readChipInfo(dir)).toEqual(info);
  });

  it('says which of the chip’s papers are unreadable', async () => {
    await expect(openDevice({ dir, wiring: 'inline' })).rejects.toMatchObject({ code: 'ChipNotFound' });
    for (const text of ['', '[]', '{"format":2}', '{"format":1,"state":"finished"}']) {
      await writeFile(join(dir, 'chip.json'), text);
      await expect(openDevice({ dir, wiring: 'inline' })).rejects.toMatchObject({
        code: 'ChipDamaged',
        field: 'chip.json',
      });
    }
  });

  it('waits for nobody who has the chip open', async () => {
    const lock = await lockChip(dir);
    await expect(manufacture({ dir, images, rootKeyHash })).rejects.toMatchObject({ code: 'ChipInUse' });
    await lock.release();
    await manufacture({ dir, images, rootKeyHash });
    expect(JSON.parse(await readFile(join(dir, 'chip.json'), 'utf8'))).toMatchObject({
      state: 'finished',
      sku: 'SF-V1',
    });
  });
});
