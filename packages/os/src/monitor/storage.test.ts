import { describe, expect, it } from 'vitest';
import { FLASH_MAP, FLASH_SECTOR } from '@sevenfold/formats';
import {
  insecureSeededEntropy,
  memoryFlash,
  memoryFuses,
  openChip,
  type Chip,
  type Fault,
  type MemoryFlash,
} from '@sevenfold/silicon';
import { MutableStorage } from './mutable.ts';
import type { FlashPort } from './ports.ts';
import { RecordLog } from './records.ts';

const SECTORS = FLASH_MAP.records.length / FLASH_SECTOR;
const COMPONENTS = ['11111111-2222-4333-8444-000000000001', '11111111-2222-4333-8444-000000000002'] as const;

function chipOn(flash: MemoryFlash): Chip {
  return openChip({ flash, fuses: memoryFuses(), entropy: insecureSeededEntropy('x') });
}

function portTo({ flash }: Chip): FlashPort {
  return {
    read: async (offset, length) => flash.read(offset, length),
    program: async (offset, bytes) => flash.program(offset, bytes),
    erase: async (offset, length) => flash.erase(offset, length),
  };
}

const content = (length: number, seed: number): Uint8Array =>
  new Uint8Array(length).map((_, index) => (index * 31 + seed) & 0xff);

/** Runs `work` on a fresh chip again and again, with a cut at every operation, each clean and torn. */
async function atEveryCut(
  work: (chip: Chip) => Promise<void>,
  judge: (chip: Chip, at: number) => Promise<void>,
): Promise<number> {
  const whole = chipOn(memoryFlash());
  await work(whole);
  const { operations } = whole.power;
  for (let at = 0; at < operations; at++) {
    for (const kind of ['clean', 'torn'] as const) {
      const fault: Fault = { at, kind, seed: at * 7 };
      const chip = chipOn(memoryFlash());
      chip.power.layPlan([fault]);
      await expect(work(chip)).rejects.toMatchObject({ code: 'PowerCut' });
      chip.powerOn();
      chip.power.layPlan([]);
      await judge(chip, at);
    }
  }
  return operations;
}

describe('the log of records', () => {
  it('gives back what was appended, oldest first, until it is removed, also after a reset', async () => {
    const chip = chipOn(memoryFlash());
    const log = new RecordLog(portTo(chip));
    const ids: number[] = [];
    for (let n = 0; n < 10; n++) ids.push(await log.append(content(n * 400, n)));
    expect(new Set(ids).size).toBe(10);
    await log.remove([ids[1] ?? 0, ids[4] ?? 0, 99_999]);
    for (const reader of [log, new RecordLog(portTo(chip))]) {
      const records = await reader.list(1000);
      expect(records.map(({ id }) => id)).toEqual(ids.filter((_, n) => n !== 1 && n !== 4));
      expect(
        records.every(
          ({ id, record }) => Buffer.compare(record, content(ids.indexOf(id) * 400, ids.indexOf(id))) === 0,
        ),
      ).toBe(true);
      expect((await reader.list(2)).map(({ id }) => id)).toEqual([ids[0], ids[2]]);
    }
  });

  it('loses nothing that was acknowledged, and brings back nothing that was removed, wherever power goes', async () => {
    let acknowledged = new Map<number, Uint8Array>();
    let removed = new Set<number>();
    const written = Array.from({ length: 6 }, (_, n) => content(900 + n * 500, n));
    const operations = await atEveryCut(
      async (chip) => {
        acknowledged = new Map();
        removed = new Set();
        const log = new RecordLog(portTo(chip));
        for (let n = 0; n < 6; n++) {
          const record = written[n] ?? new Uint8Array(0);
          acknowledged.set(await log.append(record), record);
          const [oldest] = acknowledged.keys();
          if (n % 2 === 1 && oldest !== undefined) {
            acknowledged.delete(oldest);
            await log.remove([oldest]);
            removed.add(oldest);
          }
        }
      },
      async (chip, at) => {
        const log = new RecordLog(portTo(chip));
        const found = new Map((await log.list(1000)).map(({ id, record }) => [id, record]));
        for (const [id, record] of acknowledged) expect(found.get(id), `cut at ${at}`).toEqual(record);
        for (const id of removed) expect(found.has(id), `cut at ${at}`).toBe(false);
        // What was not acknowledged is there whole or not at all.
        for (const record of found.values()) {
          expect(
            written.some((one) => Buffer.compare(one, record) === 0),
            `cut at ${at}`,
          ).toBe(true);
        }
        // And it goes on: new records do not disturb the old ones, nor take their ids.
        const id = await log.append(content(100, 1));
        expect(found.has(id) || removed.has(id)).toBe(false);
        expect((await log.list(1000)).at(-1)).toEqual({ id, record: content(100, 1) });
      },
    );
    expect(operations).toBeGreaterThan(50);
  });

  it('takes nothing that stands in a record for a record, removed or cut short', async () => {
    // An app has a word in what is recorded of its death: here, a whole record of its own making on a later page.
    const forged = async (start: number): Promise<Uint8Array> => {
      const other = chipOn(memoryFlash());
      await new RecordLog(portTo(other)).append(content(60, 66));
      const first = Array.from(
        { length: SECTORS },
        (_, n) => FLASH_MAP.records.offset + n * FLASH_SECTOR,
      ).find((offset) => other.flash.read(offset, 1)[0] !== 0xff);
      const evil = content(700, 1);
      evil.set(other.flash.read(first ?? 0, 76), start);
      return evil;
    };
    // Wherever a page may begin in the content of a record.
    for (let start = 230; start < 270; start++) {
      const evil = await forged(start);
      const chip = chipOn(memoryFlash());
      const log = new RecordLog(portTo(chip));
      await log.remove([await log.append(evil)]);
      expect(await new RecordLog(portTo(chip)).list(10), `at ${start}`).toEqual([]);
      chip.power.layPlan([{ at: 2, kind: 'clean', seed: 1 }]);
      await expect(log.append(evil)).rejects.toMatchObject({ code: 'PowerCut' });
      chip.powerOn();
      chip.power.layPlan([]);
      expect(await new RecordLog(portTo(chip)).list(10), `cut, at ${start}`).toEqual([]);
    }
  });

  it('keeps a record whole that ends in pages of erased flash', async () => {
    const chip = chipOn(memoryFlash());
    const record = content(3800, 1).fill(0xff, 20);
    await new RecordLog(portTo(chip)).append(record);
    const log = new RecordLog(portTo(chip));
    await log.append(content(100, 2));
    expect((await log.list(2)).map((one) => one.record)).toEqual([record, content(100, 2)]);
  });

  it('uses all sectors in turn, refuses more when it is full, and goes on after removal', async () => {
    const chip = chipOn(memoryFlash());
    const log = new RecordLog(portTo(chip));
    const sectors = FLASH_MAP.records.length / FLASH_SECTOR;
    const ids: number[] = [];
    for (let n = 0; n < sectors; n++) ids.push(await log.append(content(3800, n)));
    await expect(log.append(content(3800, 1))).rejects.toMatchObject({ code: 'RecordsFull' });
    await log.remove([ids[5] ?? 0]);
    const id = await log.append(content(3800, 9));
    expect((await new RecordLog(portTo(chip)).list(1000)).at(-1)?.id).toBe(id);
    await log.remove(ids);
    for (let n = 0; n < 8 * sectors; n++) await log.remove([await log.append(content(10, n)).catch(() => 0)]);
    const erasures = Array.from({ length: sectors }, (_, n) =>
      chip.flash.erasures(FLASH_MAP.records.offset + n * FLASH_SECTOR),
    );
    expect(erasures.reduce((sum, one) => sum + one)).toBeGreaterThan(20);
  });
});

describe('mutable storage', () => {
  const sizes = [0, 1, 4048, 4049, 65_536];
  it.each(sizes)('keeps a content of %i bytes for its component, also after a reset', async (size) => {
    const chip = chipOn(memoryFlash());
    const storage = new MutableStorage(portTo(chip));
    expect(await storage.read(COMPONENTS[0])).toBeNull();
    await storage.write(COMPONENTS[0], content(size, 1));
    await storage.write(COMPONENTS[1], content(3, 2));
    for (const reader of [storage, new MutableStorage(portTo(chip))]) {
      expect(await reader.read(COMPONENTS[0])).toEqual(content(size, 1));
      expect(await reader.read(COMPONENTS[1])).toEqual(content(3, 2));
    }
    expect(await storage.delete(COMPONENTS[0])).toBe(true);
    expect(await storage.delete(COMPONENTS[0])).toBe(false);
    expect(await new MutableStorage(portTo(chip)).read(COMPONENTS[0])).toBeNull();
    expect(await storage.read(COMPONENTS[1])).toEqual(content(3, 2));
  });

  it('has the old content or the new one wherever power goes, and no deleted one comes back', async () => {
    const [a, b] = COMPONENTS;
    // What each component may hold after a cut: before or after the step that was cut.
    let allowed: Map<string, (Uint8Array | null)[]> = new Map();
    await atEveryCut(
      async (chip) => {
        const storage = new MutableStorage(portTo(chip));
        allowed = new Map([
          [a, [null]],
          [b, [null]],
        ]);
        const step = async (component: string, next: Uint8Array | null): Promise<void> => {
          allowed.set(component, [...(allowed.get(component) ?? []).slice(-1), next]);
          if (next === null) await storage.delete(component);
          else await storage.write(component, next);
          allowed.set(component, [next]);
        };
        await step(a, content(5000, 1));
        await step(b, content(10, 2));
        await step(a, content(9000, 3));
        await step(b, null);
        await step(a, content(3, 4));
        await step(b, content(4100, 5));
        await step(a, null);
      },
      async (chip, at) => {
        const storage = new MutableStorage(portTo(chip));
        for (const [component, contents] of allowed) {
          const found = await storage.read(component);
          const isAllowed = contents.some((one) =>
            one === null ? found === null : found !== null && Buffer.compare(found, one) === 0,
          );
          expect(isAllowed, `cut at ${at}: ${component} holds ${found?.length ?? 'nothing'}`).toBe(true);
          // Whatever was cut short does not come back later either.
          if (at % 2 === 0) await storage.write(component, content(50, at & 0xff));
          else await storage.delete(component);
          const expected = at % 2 === 0 ? content(50, at & 0xff) : null;
          expect(await new MutableStorage(portTo(chip)).read(component), `cut at ${at}`).toEqual(expected);
        }
      },
    );
  });

  it('says when it is full, and keeps what it has', async () => {
    const chip = chipOn(memoryFlash());
    const storage = new MutableStorage(portTo(chip));
    const component = (n: number): string => `11111111-2222-4333-8444-${String(n).padStart(12, '0')}`;
    // Every app that may be installed has its 64 KiB, and a next version of them.
    const { most } = FLASH_MAP.applications;
    for (let n = 0; n < most; n++) await storage.write(component(n), content(65_536, n));
    await storage.write(component(0), content(65_536, 100));
    let stored = most;
    await expect(
      (async () => {
        for (; stored < most + 10; stored++) await storage.write(component(stored), content(65_536, stored));
      })(),
    ).rejects.toMatchObject({ code: 'StorageFull' });
    await expect(storage.write(component(0), content(65_536, 9))).rejects.toMatchObject({
      code: 'StorageFull',
    });
    expect(await storage.read(component(0))).toEqual(content(65_536, 100));
  });
});

describe('worn sectors', () => {
  const sectorOf = (region: 'records' | 'mutable', index: number): number =>
    FLASH_MAP[region].offset + index * FLASH_SECTOR;

  it('are passed over by the log of records, which loses nothing that it acknowledged', async () => {
    const chip = chipOn(memoryFlash());
    const log = new RecordLog(portTo(chip));
    const kept: number[] = [];
    for (let n = 0; n < 3; n++) kept.push(await log.append(content(3000, n)));
    for (const sector of [3, 4, 6]) chip.flash.wearOut(sectorOf('records', sector));
    for (let n = 3; n < 12; n++) kept.push(await log.append(content(3000, n)));
    for (const reader of [log, new RecordLog(portTo(chip))]) {
      const records = await reader.list(1000);
      expect(records.map(({ id }) => id)).toEqual(kept);
      expect(records.every(({ record }, n) => Buffer.compare(record, content(3000, n)) === 0)).toBe(true);
    }
    // Removing from a sector that has worn out meanwhile: gone now, perhaps there again after the next boot.
    chip.flash.wearOut(sectorOf('records', 0));
    await log.remove(kept);
    expect(await log.list(1000)).toEqual([]);
    // When every sector is worn, that is said.
    for (let sector = 0; sector < SECTORS; sector++) chip.flash.wearOut(sectorOf('records', sector));
    await expect(log.append(content(3000, 1))).rejects.toMatchObject({ code: 'RecordsFull' });
  });

  it('are passed over by mutable storage, and never bring an old content back', async () => {
    const [component] = COMPONENTS;
    const count = FLASH_MAP.mutable.length / FLASH_SECTOR;
    for (let seed = 0; seed < 8; seed++) {
      const chip = chipOn(memoryFlash());
      let storage = new MutableStorage(portTo(chip));
      let expected: Uint8Array | null = null;
      for (let step = 0; step < 30; step++) {
        if (step % 4 === 0) chip.flash.wearOut(sectorOf('mutable', (seed * 7 + step * 5) % count));
        if (step % 6 === 5) {
          await storage.delete(component);
          expected = null;
        } else {
          expected = content(step * 700, seed + step);
          await storage.write(component, expected);
        }
        if (step % 3 === 0) storage = new MutableStorage(portTo(chip));
        const found = await storage.read(component);
        // What was deleted is gone or empty.
        if (expected === null) expect(found?.length ?? 0, `${seed}/${step}`).toBe(0);
        else expect(found, `${seed}/${step}`).toEqual(expected);
      }
    }
  });
});
