import { describe, expect, it } from 'vitest';
import {
  BOOT_SECTORS,
  DEFAULT_BOOT_RECORD,
  attemptMarkOffset,
  decodeBootRecord,
  encodeBootRecord,
  healthyMarkOffset,
  readBootRecords,
  trialsThatFit,
  type BootRecord,
} from './boot-record.ts';
import { FLASH_MAP, FLASH_SECTOR } from './flash-map.ts';

const application = (slot: number) => ({
  componentId: `11111111-2222-4333-8444-${String(slot).padStart(12, '0')}`,
  imageId: `aaaaaaaa-2222-4333-8444-${String(slot).padStart(12, '0')}`,
  slot,
  size: 5000,
});
const record: BootRecord = {
  sequence: 7,
  current: {
    system: { ...DEFAULT_BOOT_RECORD.current.system, Services: 'B' },
    applications: [0, 1, 2, 3].map(application),
  },
  fallback: DEFAULT_BOOT_RECORD.current,
  trial: true,
  fellBack: {
    trials: [[1, 2, 3].map((slot) => application(slot).imageId), [application(0).imageId]],
    reason: 'x',
  },
  applicationVersions: [{ componentId: application(1).componentId, version: 3 }],
};

/** The region as flash would hold it. */
function region(records: readonly (BootRecord | null)[]): Uint8Array {
  const bytes = new Uint8Array(FLASH_MAP.bootRecord.length).fill(0xff);
  records.forEach((one, sector) => one !== null && bytes.set(encodeBootRecord(one), sector * FLASH_SECTOR));
  return bytes;
}

describe('a boot record', () => {
  it('comes back as it was written', () => {
    expect(decodeBootRecord(encodeBootRecord(record))).toEqual(record);
    expect(decodeBootRecord(encodeBootRecord(DEFAULT_BOOT_RECORD))).toEqual(DEFAULT_BOOT_RECORD);
  });

  it('is refused with more apps, or longer ones, than there is room for', () => {
    const { most, bytes } = FLASH_MAP.applications;
    const holding = (applications: BootRecord['current']['applications']) => () =>
      decodeBootRecord(encodeBootRecord({ ...record, current: { ...record.current, applications } }));
    expect(holding(Array.from({ length: most + 1 }, (_, n) => application(n)))).toThrow(
      expect.objectContaining({ code: 'TooMany' }),
    );
    expect(holding([{ ...application(1), size: bytes + 1 }])).toThrow(
      expect.objectContaining({ code: 'ValueOutOfRange' }),
    );
  });

  it('has room in its sector for as many apps as there may be, in both configurations', () => {
    const { most, bytes } = FLASH_MAP.applications;
    const applications = (first: number) =>
      Array.from({ length: most }, (_, n) => ({ ...application(first + n), size: bytes }));
    const fullest: BootRecord = {
      ...record,
      sequence: 0xffffffff,
      current: { ...record.current, applications: applications(0) },
      fallback: { ...record.current, applications: applications(2 * most) },
      fellBack: {
        trials: [Array.from({ length: 16 }, (_, n) => application(n).imageId)],
        reason: 'x'.repeat(400),
      },
      applicationVersions: Array.from({ length: most }, (_, n) => ({
        componentId: application(n).componentId,
        version: 0xffffffff,
      })),
    };
    expect(decodeBootRecord(encodeBootRecord(fullest))).toEqual(fullest);
  });

  it('is refused with any byte of it changed, cut off or missing', () => {
    const bytes = encodeBootRecord(record);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(() => decodeBootRecord(changed), `byte ${at}`).toThrow(
        expect.objectContaining({ code: 'InvalidBootRecord' }),
      );
      expect(() => decodeBootRecord(bytes.subarray(0, at))).toThrow(
        expect.objectContaining({ code: 'InvalidBootRecord' }),
      );
    }
  });

  it('is refused if it contradicts itself', () => {
    const refused = (wrong: BootRecord): void =>
      expect(() => decodeBootRecord(encodeBootRecord(wrong))).toThrow(
        expect.objectContaining({ code: 'InvalidBootRecord' }),
      );
    refused({ ...record, fallback: null });

    refused({
      ...record,
      current: { ...record.current, applications: [application(1), { ...application(2), slot: 1 }] },
    });
    expect(() => encodeBootRecord({ ...record, fellBack: { trials: [], reason: 'x'.repeat(4000) } })).toThrow(
      expect.objectContaining({ code: 'InvalidBootRecord' }),
    );
  });
});

describe('what was left', () => {
  it('is remembered trial by trial, the newest that fit', () => {
    const trials = Array.from({ length: 5 }, (_, trial) =>
      Array.from({ length: 4 }, (_unused, slot) => application(slot).imageId.replace('a', String(trial))),
    );
    const kept = trialsThatFit(trials);
    expect(kept).toEqual(trials.slice(0, 3));
    const fellBack = { trials: kept, reason: '' };
    expect(decodeBootRecord(encodeBootRecord({ ...record, fellBack })).fellBack).toEqual(fellBack);
    expect(trialsThatFit(trials.slice(0, 2))).toEqual(trials.slice(0, 2));
    expect(trialsThatFit([])).toEqual([]);
  });
});

describe('the boot records in flash', () => {
  it('yield the newest whole one, whatever lies in the other sectors', () => {
    expect(readBootRecords(region([]))).toBeNull();
    const at = (sequence: number): BootRecord => ({ ...DEFAULT_BOOT_RECORD, sequence });
    expect(readBootRecords(region([at(5), at(6), null, at(4)]))).toMatchObject({
      record: { sequence: 6 },
      sector: 1,
    });
    const torn = region([at(5), at(6), at(7)]);
    torn.fill(0, 2 * FLASH_SECTOR + 20, 2 * FLASH_SECTOR + 60);
    expect(readBootRecords(torn)).toMatchObject({ record: { sequence: 6 } });
  });

  it('count attempts by marks, a torn one too, and take only a whole mark for healthy', () => {
    const bytes = region([null, null, record]);
    const marks = () => readBootRecords(bytes)?.marks;
    expect(marks()).toEqual({ attempts: 0, nextAttempt: 0, healthy: false });
    bytes[attemptMarkOffset(2, 0)] = 0;
    bytes[attemptMarkOffset(2, 1)] = 0x7f;
    expect(marks()).toEqual({ attempts: 2, nextAttempt: 2, healthy: false });
    bytes[healthyMarkOffset(2)] = 0x80;
    bytes[attemptMarkOffset(2, 2)] = 0;
    expect(marks()).toEqual({ attempts: 3, nextAttempt: null, healthy: false });
    bytes[healthyMarkOffset(2)] = 0;
    expect(marks()?.healthy).toBe(true);
    expect(BOOT_SECTORS).toBe(4);
  });
});
