import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FLASH_PAGE, FLASH_SECTOR, FLASH_SIZE } from '@sevenfold/formats';
import { fileFlash } from './file-storage.ts';
import { Flash, type FlashStorage } from './flash.ts';
import { memoryFlash } from './memory-storage.ts';
import { PowerSupply } from './power.ts';

const dir = mkdtempSync(join(tmpdir(), 'sevenfold-flash-'));
let files = 0;
afterAll(() => rmSync(dir, { recursive: true }));

const storages: readonly [string, () => FlashStorage][] = [
  ['memory', () => memoryFlash()],
  ['a file', () => fileFlash(join(dir, `flash-${files++}.bin`))],
];

function powered(storage: FlashStorage): { flash: Flash; power: PowerSupply } {
  const power = new PowerSupply();
  return { flash: new Flash(storage, power), power };
}

describe.each(storages)('flash in %s', (_name, makeStorage) => {
  it('is all ones at first, and programming only clears bits', () => {
    const { flash } = powered(makeStorage());
    expect(flash.size).toBe(FLASH_SIZE);
    expect(flash.read(FLASH_SIZE - 4, 4)).toEqual(new Uint8Array(4).fill(0xff));
    flash.program(1000, Uint8Array.of(0xf0, 0x0f));
    flash.program(1000, Uint8Array.of(0x3c, 0xff));
    expect(flash.read(999, 4)).toEqual(Uint8Array.of(0xff, 0x30, 0x0f, 0xff));
  });

  it('erases whole sectors to ones and nothing beside them', () => {
    const { flash } = powered(makeStorage());
    flash.program(FLASH_SECTOR - 1, new Uint8Array(FLASH_SECTOR + 2));
    flash.erase(FLASH_SECTOR, FLASH_SECTOR);
    expect(flash.read(FLASH_SECTOR - 1, 2)).toEqual(Uint8Array.of(0, 0xff));
    expect(flash.read(2 * FLASH_SECTOR - 1, 2)).toEqual(Uint8Array.of(0xff, 0));
    expect(() => flash.erase(1, FLASH_SECTOR)).toThrow(expect.objectContaining({ code: 'OutOfRange' }));
    expect(() => flash.erase(0, 100)).toThrow(expect.objectContaining({ code: 'OutOfRange' }));
  });

  it.each([
    [-1, 1],
    [FLASH_SIZE, 1],
    [FLASH_SIZE - 1, 2],
    [0.5, 1],
    [Number.NaN, 1],
    [0, -1],
  ])('has no %d + %d', (offset, length) => {
    const { flash } = powered(makeStorage());
    expect(() => flash.read(offset, length)).toThrow(expect.objectContaining({ code: 'OutOfRange' }));
  });

  it('counts an operation for each page and each sector', () => {
    const { flash, power } = powered(makeStorage());
    flash.program(100, new Uint8Array(FLASH_PAGE * 2));
    expect(power.operations).toBe(3);
    flash.erase(0, 2 * FLASH_SECTOR);
    expect(power.operations).toBe(5);
  });

  it('on a clean cut does nothing more until power is back', () => {
    const { flash, power } = powered(makeStorage());
    power.layPlan([{ at: 1, kind: 'clean', seed: 0 }]);
    let told = 0;
    power.onCut(() => told++);
    expect(() => flash.program(0, new Uint8Array(FLASH_PAGE * 3))).toThrow(
      expect.objectContaining({ code: 'PowerCut' }),
    );
    expect(() => flash.read(0, 1)).toThrow(expect.objectContaining({ code: 'PowerCut' }));
    expect(told).toBe(1);
    power.on();
    expect(flash.read(FLASH_PAGE - 1, 2)).toEqual(Uint8Array.of(0, 0xff));
  });

  it('on a torn page has cleared some of the bits and set none', () => {
    const { flash, power } = powered(makeStorage());
    flash.program(0, new Uint8Array(FLASH_PAGE).fill(0x55));
    power.layPlan([{ at: 0, kind: 'torn', seed: 4 }]);
    expect(() => flash.program(0, new Uint8Array(FLASH_PAGE))).toThrow(
      expect.objectContaining({ code: 'PowerCut' }),
    );
    power.on();
    const torn = flash.read(0, FLASH_PAGE);
    expect(torn.every((byte) => (byte & ~0x55) === 0)).toBe(true);
    expect(torn.some((byte) => byte !== 0) && torn.some((byte) => byte !== 0x55)).toBe(true);
  });

  it('on a torn erase has set some bits and cleared none, differently for each seed', () => {
    const results = new Set<string>();
    for (let seed = 0; seed < 8; seed++) {
      const { flash, power } = powered(makeStorage());
      flash.program(0, new Uint8Array(FLASH_SECTOR).fill(0x0f));
      power.layPlan([{ at: 0, kind: 'torn', seed }]);
      expect(() => flash.erase(0, FLASH_SECTOR)).toThrow(expect.objectContaining({ code: 'PowerCut' }));
      power.on();
      const torn = flash.read(0, FLASH_SECTOR);
      expect(torn.every((byte) => (byte & 0x0f) === 0x0f)).toBe(true);
      results.add(Buffer.from(torn).toString('hex'));
    }
    expect(results.size).toBe(8);
  });

  it('rots a bit of the sector that is worked on, without a word', () => {
    const { flash, power } = powered(makeStorage());
    power.layPlan([{ at: 0, kind: 'rot', seed: 3 }]);
    flash.erase(FLASH_SECTOR, FLASH_SECTOR);
    const changed = [...flash.read(FLASH_SECTOR, FLASH_SECTOR)].filter((byte) => byte !== 0xff);
    expect(changed).toHaveLength(1);
  });
});

describe('flash in a file', () => {
  it('is there again when the file is opened anew, and is small while it is blank', () => {
    const path = join(dir, 'kept.bin');
    const first = fileFlash(path);
    powered(first).flash.program(5 * FLASH_SECTOR, Uint8Array.of(1, 2, 3));
    // No close: as if the process had been killed.
    expect(powered(fileFlash(path)).flash.read(5 * FLASH_SECTOR, 4)).toEqual(Uint8Array.of(1, 2, 3, 0xff));
    first.close();
  });

  it('refuses a file of another size', () => {
    const path = join(dir, 'foreign.bin');
    writeFileSync(path, 'hello');
    expect(() => fileFlash(path)).toThrow(expect.objectContaining({ code: 'StorageUnusable' }));
  });
});

describe('ageing flash', () => {
  it('says which sector does not take what it is told, and keeps the others as they were', () => {
    const { flash } = powered(memoryFlash());
    flash.program(0, new Uint8Array(FLASH_SECTOR));
    flash.wearOut(0);
    expect(() => flash.erase(0, FLASH_SECTOR)).toThrow(expect.objectContaining({ code: 'FlashWorn' }));
    const left = flash.read(0, FLASH_SECTOR);
    expect(left.some((byte) => byte !== 0xff)).toBe(true);
    expect(() => flash.program(256, new Uint8Array(256))).toThrow(
      expect.objectContaining({ code: 'FlashWorn' }),
    );
    flash.erase(FLASH_SECTOR, FLASH_SECTOR);
    flash.program(FLASH_SECTOR, new Uint8Array(256));
    expect(flash.read(FLASH_SECTOR, 1)).toEqual(Uint8Array.of(0));
  });

  it('wears each sector out at a number of erasures of its own, the same for the same seed', () => {
    const lives = (seed: number): number[] => {
      const { flash } = powered(memoryFlash());
      flash.layWear({ endurance: 20, seed });
      return [0, 1, 2, 3, 4, 5].map((sector) => {
        for (let erasures = 0; ; erasures++) {
          try {
            flash.erase(sector * FLASH_SECTOR, FLASH_SECTOR);
          } catch {
            return erasures;
          }
        }
      });
    };
    const first = lives(7);
    expect(first.every((erasures) => erasures >= 20 && erasures <= 40)).toBe(true);
    expect(new Set(first).size).toBeGreaterThan(2);
    expect(lives(7)).toEqual(first);
    expect(lives(8)).not.toEqual(first);
  });

  it('loses a bit of a sector that is read very often, and gets well when it is erased', () => {
    const { flash } = powered(memoryFlash());
    flash.layWear({ endurance: 1000, readsToDisturb: 100, seed: 3 });
    for (let reads = 0; reads < 99; reads++) flash.read(5 * FLASH_SECTOR, 16);
    const isWhole = (): boolean => flash.read(5 * FLASH_SECTOR, FLASH_SECTOR).every((byte) => byte === 0xff);
    expect(isWhole()).toBe(false);
    flash.erase(5 * FLASH_SECTOR, FLASH_SECTOR);
    expect(isWhole()).toBe(true);
    expect(flash.read(6 * FLASH_SECTOR, FLASH_SECTOR).every((byte) => byte === 0xff)).toBe(true);
  });
});
